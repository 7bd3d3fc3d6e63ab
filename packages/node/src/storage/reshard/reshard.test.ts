import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { createServer, type RunningServer } from "../../create-server.ts";
import { shardPath } from "../modes/layout.ts";
import { namedSegments } from "../segments/named-segments.ts";
import { readSegmentRecord, writeSegmentRecord } from "../segments/s3/segment-record.ts";
import { reshard, type Resharded } from "./reshard.ts";

const SETTINGS = {
  AUTH_MODE: "none",
  TENANCY: "single",
  LOG_LEVEL: "off",
  SEGMENT_BYTES: "65536",
  SEGMENT_BYTES_MIN: "1",
  WEBHOOK_LOOPBACK: "allow",
};
const JSON_TYPE = { "Content-Type": "application/json" };
const STREAMS = Array.from({ length: 20 }, (_, at) => `s${at}`);

let root: string;
let from: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "reshard-"));
  from = join(root, "from");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function start(dataDir: string, acidShardCount?: number): Promise<RunningServer> {
  const mode = acidShardCount === undefined ? "file-durable" : "acid";
  const storage = { mode, dataDir, ...(acidShardCount === undefined ? {} : { acidShardCount }) } as const;
  const server = await createServer({ storage, port: 0, settings: SETTINGS });
  onTestFinished(() => server.close(0));
  return server;
}

const copyTo = (name: string, shards: number, signal = new AbortController().signal): Promise<Resharded> =>
  reshard({ from, to: join(root, name), shards, signal });

/** Streams, a fork, a session and a subscription, and one stream that is cold. */
async function fill({ url }: RunningServer): Promise<void> {
  const call = async (method: string, path: string, body?: string, headers: object = {}): Promise<void> => {
    const init = { method, headers: { ...JSON_TYPE, ...headers }, ...(body === undefined ? {} : { body }) };
    const response = await fetch(url + path, init);
    expect([path, response.ok]).toEqual([path, true]);
  };
  for (const name of STREAMS) {
    await call("PUT", `/v1/stream/${name}`);
    const producer = { "Producer-Id": name, "Producer-Epoch": "0", "Producer-Seq": "0" };
    await call("POST", `/v1/stream/${name}`, JSON.stringify({ name }), producer);
  }
  await call("PUT", "/v1/stream/fork", undefined, { "Stream-Forked-From": "/v1/stream/s0" });
  for (const source of ["s1", "s2"]) {
    await call("POST", `/v1/estuary/subscribe/${source}`, JSON.stringify({ estuaryId: "me" }));
  }
  const pull = { type: "pull-wake", streams: ["s3"], wake_stream: "wakes" };
  await call("PUT", "/v1/stream/wakes");
  await call("PUT", "/v1/stream/__ds/subscriptions/pull", JSON.stringify(pull));
  for (let count = 0; count < 8; count += 1) {
    await call("POST", "/v1/stream/s5", JSON.stringify("x".repeat(40_000)));
  }
  // Rolling and the directory follow by themselves.
  await expect.poll(() => namedSegmentsOf(from), { timeout: 20_000 }).toBeGreaterThan(0);
  const directory = async (): Promise<string> => (await fetch(`${url}/v1/projects/default/streams`)).text();
  for (const name of [...STREAMS, "fork", "me", "wakes"]) {
    await expect.poll(directory, { timeout: 20_000 }).toContain(`"name":"${name}"`);
  }
}

/** How many cold segments the databases of a directory name. */
function namedSegmentsOf(dataDir: string): number {
  let count = 0;
  for (let shard = 0; existsSync(shardPath(dataDir, shard)); shard += 1) {
    using sqlite = new DatabaseSync(shardPath(dataDir, shard), { readOnly: true });
    count += [...namedSegments(sqlite)].length;
  }
  return count;
}

/** What users see: bodies and offsets, what a session follows, a subscription, and the directory. */
async function seen({ url }: RunningServer): Promise<unknown> {
  const get = (path: string): Promise<Response> => fetch(url + path);
  const all: unknown[] = [];
  for (const name of [...STREAMS, "fork", "me"]) {
    const response = await get(`/v1/stream/${name}?offset=-1`);
    all.push([name, response.status, response.headers.get("Stream-Next-Offset"), await response.text()]);
  }
  const { subscriptions } = (await (await get("/v1/estuary/me")).json()) as Record<string, unknown>;
  const pull = (await (await get("/v1/stream/__ds/subscriptions/pull")).json()) as Record<string, unknown>;
  const { streams } = (await (await get("/v1/projects/default/streams")).json()) as Record<string, unknown>;
  return [...all, subscriptions, pull["streams"], streams];
}

describe.each([
  [4, 8],
  [4, 1],
  [undefined, 4],
])("a directory with %s databases becomes one with %i", (before, shards) => {
  it("keeps everything that users see, and the old one stays as it was", async () => {
    let server = await start(from, before);
    await fill(server);
    const expected = await seen(server);
    await server.close();
    const copied = await copyTo("to", shards);
    expect(copied).toEqual({
      before: before ?? 1,
      objects: expect.any(Number) as number,
      segments: expect.any(Number) as number,
    });
    expect(copied.objects).toBeGreaterThan(STREAMS.length);
    expect(copied.segments).toBe(namedSegmentsOf(from));
    server = await start(join(root, "to"), shards === 1 ? undefined : shards);
    expect(await seen(server)).toEqual(expected);
    // A producer's number that was acknowledged is known, and the next append goes behind all others.
    const repeated = { ...JSON_TYPE, "Producer-Id": "s7", "Producer-Epoch": "0", "Producer-Seq": "0" };
    const again = await fetch(`${server.url}/v1/stream/s7`, {
      method: "POST",
      headers: repeated,
      body: '{"name":"s7"}',
    });
    expect(again.status).toBe(204);
    await fetch(`${server.url}/v1/stream/s7`, { method: "POST", headers: JSON_TYPE, body: "2" });
    expect(await (await fetch(`${server.url}/v1/stream/s7`)).json()).toEqual([{ name: "s7" }, 2]);
    await server.close();
    const old = await start(from, before);
    expect(await seen(old)).toEqual(expected);
  });
});

it("what a server that was killed had committed is copied, and its log stays", async () => {
  const server = await start(from, 4);
  await fill(server);
  const expected = await seen(server);
  const killed = join(root, "killed");
  cpSync(from, killed, { recursive: true });
  await server.close();
  rmSync(from, { recursive: true });
  cpSync(killed, from, { recursive: true });
  await copyTo("to", 2);
  expect(existsSync(join(from, "streams-1.sqlite-wal"))).toBe(true);
  expect(await seen(await start(join(root, "to"), 2))).toEqual(expected);
});

it("a directory in use, a wrong number and a missing segment are refused, and an interrupted copy ends", async () => {
  const server = await start(from, 2);
  await fill(server);
  await expect(copyTo("to", 4)).rejects.toThrow("Another server is using the data directory.");
  await server.close();
  await expect(copyTo("to", 0)).rejects.toThrow("a whole number from 1 to 64");
  await expect(copyTo("aborted", 4, AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
  rmSync(join(from, "segments"), { recursive: true });
  await expect(copyTo("missing", 4)).rejects.toThrow(/The cold segment .* is missing/);
});

it("segments in a bucket stay there, and the copy knows where they are", async () => {
  await (await start(from, 2)).close();
  const record = { store: "s3", id: "an-id", place: "https://s3.example/cold/", isUsed: true } as const;
  writeSegmentRecord(from, record);
  expect(await copyTo("to", 3)).toMatchObject({ segments: 0 });
  expect(readSegmentRecord(join(root, "to"))).toEqual(record);
});
