/**
 * Cold segments of the engine node in a bucket. The store is a fake in this process that speaks S3 over HTTP, and verifies
 * signatures with another implementation than the server's (`testkit/src/s3-server.ts`).
 */

import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { patternBytes } from "@durable-streams-cloudflare/testkit";
import { S3_CREDENTIALS, startS3Server, type S3Server } from "@durable-streams-cloudflare/testkit/s3-server";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { startCli } from "../src/cli-process.ts";
import { append, create, send } from "../src/requests.ts";
import { segmentFiles } from "../src/stored.ts";

const BINARY = { "Content-Type": "application/octet-stream" } as const;
const APPEND_BYTES = 40_000;
const APPENDS = 40;
const NAME = "odd%20name~!/a.b";

let root: string;
let dataDir: string;
let s3: S3Server;
let servers: ServerProcess[];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "cold-bucket-"));
  dataDir = join(root, "data");
  s3 = await startS3Server();
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.kill9()));
  await s3.close();
  rmSync(root, { recursive: true, force: true });
});

const environment = (): Record<string, string> => ({
  DS_STORAGE__SEGMENTS: "s3",
  DS_STORAGE__S3_ENDPOINT: s3.url,
  DS_STORAGE__S3_BUCKET: s3.bucket,
  DS_STORAGE__S3_REGION: s3.region,
  DS_STORAGE__S3_PREFIX: "servers/one",
  AWS_ACCESS_KEY_ID: S3_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: S3_CREDENTIALS.secretAccessKey,
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const vars = { SEGMENT_BYTES: 65_536, SEGMENT_BYTES_MIN: 1 };
  const server = await startServer({ dataDir, vars, env: { ...environment(), ...env } });
  servers.push(server);
  return server;
}

const coldBytes = (): number =>
  [...s3.objects].reduce((sum, [key, { length }]) => sum + (key.startsWith("servers/one/v1/") ? length : 0), 0);

/** Appends so that most of the stream goes to the bucket. @returns all of its bytes. */
async function fill(url: string): Promise<Buffer> {
  const sent = Array.from({ length: APPENDS }, (_, salt) => patternBytes(APPEND_BYTES, salt));
  for (const bytes of sent) expect((await append(url, bytes, BINARY)).status).toBe(204);
  return Buffer.concat(sent);
}

async function bytesAt(url: string): Promise<Buffer> {
  let offset = "-1";
  const read: Buffer[] = [];
  for (;;) {
    const response = await fetch(`${url}?offset=${offset}`);
    expect(response.status).toBe(200);
    read.push(Buffer.from(await response.arrayBuffer()));
    offset = response.headers.get("Stream-Next-Offset") ?? "";
    if (response.headers.get("Stream-Up-To-Date") === "true") return Buffer.concat(read);
  }
}

/** A table of the log is dropped when all of it is in the bucket. */
async function untilReadFromBucket(url: string): Promise<void> {
  do await bytesAt(url);
  while (!s3.answers.includes("GET 206"));
}

it("a stream goes to the bucket, is read whole after kill -9, and leaves nothing in the bucket when it is deleted", async () => {
  let server = await start();
  const path = `/v1/stream/${NAME}`;
  await create(server.url + path, { headers: BINARY });
  const sent = await fill(server.url + path);
  // Some uploads are under way by now, or have ended without the server's knowing.
  while (coldBytes() === 0) await delay(1);
  await server.kill9();

  server = await start();
  expect((await bytesAt(server.url + path)).equals(sent)).toBe(true);
  await untilReadFromBucket(server.url + path);
  await server.kill9();

  server = await start();
  expect((await bytesAt(server.url + path)).equals(sent)).toBe(true);
  expect(segmentFiles(dataDir)).toEqual([]);
  expect((await send("DELETE", server.url + path)).status).toBe(204);
  while (coldBytes() > 0) await delay(10);
  expect([...s3.objects.keys()]).toEqual(["servers/one/durable-streams.json"]);
});

it("while the store is away, hot streams work, cold reads and the probe get 503, and nothing is lost", async () => {
  let server = await start();
  const [old, young] = [`/v1/stream/old`, `/v1/stream/young`];
  await create(server.url + old, { headers: BINARY });
  const sent = await fill(server.url + old);
  await untilReadFromBucket(server.url + old);

  s3.isDown = true;
  const refused = await fetch(`${server.url}${old}?offset=-1`);
  expect([refused.status, refused.headers.get("Retry-After"), refused.headers.get("Content-Type")]).toEqual([
    503,
    expect.stringMatching(/^\d+$/),
    "application/problem+json",
  ]);
  const probe = await fetch(`${server.url}/readyz`);
  expect([probe.status, await probe.json()]).toEqual([
    503,
    { status: "unavailable", reason: "The S3 store of cold segments answered 503 (ServiceUnavailable)." },
  ]);
  await create(server.url + young, { headers: BINARY });
  const sentToo = await fill(server.url + young);
  expect((await bytesAt(server.url + young)).equals(sentToo)).toBe(true);
  await server.kill9();

  // It was this directory's bucket, so the server starts without it.
  server = await start();
  expect(server.log()).toContain("reads of cold segments are answered with 503");
  expect((await bytesAt(server.url + young)).equals(sentToo)).toBe(true);
  await server.kill9();

  s3.isDown = false;
  server = await start();
  while (coldBytes() < 1.5 * APPENDS * APPEND_BYTES) await delay(10);
  expect((await bytesAt(server.url + old)).equals(sent)).toBe(true);
  expect((await bytesAt(server.url + young)).equals(sentToo)).toBe(true);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});

it("a start with wrong settings says which one is wrong, and shows no secret", async () => {
  const secret = "not-the-secret-of-this-key";
  const error = await start({ AWS_SECRET_ACCESS_KEY: secret }).catch((reason: unknown) => String(reason));
  expect(error).toMatch(/403 \(SignatureDoesNotMatch\)[^]*AWS_SECRET_ACCESS_KEY/);
  expect(error).not.toContain(secret);
  await expect(start({ DS_STORAGE__S3_BUCKET: "other" })).rejects.toThrow(/404[^]*storage\.s3_bucket/);
  await expect(start({ DS_STORAGE__S3_REGION: "us-east-1" })).rejects.toThrow("storage.s3_region to eu-test-1");
  await expect(start({ AWS_ACCESS_KEY_ID: "" })).rejects.toThrow("storage.s3_access_key_id");
  await expect(start({ DS_STORAGE__MODE: "memory" })).rejects.toThrow("has no use for a bucket");
});

it("a directory and its backup stay with their bucket, and know no secret", async () => {
  const server = await start();
  const place = `${s3.url}/cold/servers/one/`;
  const [archive, restored] = [join(root, "backup.tar.gz"), join(root, "restored")];
  const said = async (...argv: readonly string[]): Promise<string> => {
    const { exitCode, stderr } = await startCli(argv, {}).ended;
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining(place)]);
    return stderr;
  };
  // Of a server that runs.
  expect(await said("backup", archive, "--data-dir", dataDir)).toContain("are not in the archive");
  await server.stop();
  expect(await said("verify", "--data-dir", dataDir)).toContain("were not checked");
  expect(await said("restore", archive, "--data-dir", restored)).toContain("how to take them over");
  const moved = `${dataDir}-of-the-backup`;
  renameSync(dataDir, moved);
  renameSync(restored, dataDir);
  const refused = await start().then(
    () => "",
    (reason: unknown) => String(reason),
  );
  const [, owner = ""] = /another copy of this data directory \((\w+)\)/.exec(refused) ?? [];
  await (await start({ DS_STORAGE__S3_TAKE_OVER_FROM: owner })).stop();
  renameSync(dataDir, restored);
  renameSync(moved, dataDir);
  await expect(start()).rejects.toThrow("another copy of this data directory");
  await expect(start({ DS_STORAGE__SEGMENTS: "folder" })).rejects.toThrow("but storage.segments is folder");
  await expect(start({ DS_STORAGE__S3_PREFIX: "servers/two" })).rejects.toThrow("are not in");

  expect(readFileSync(join(dataDir, "segment-store.json"), "utf8")).not.toContain(S3_CREDENTIALS.secretAccessKey);
});
