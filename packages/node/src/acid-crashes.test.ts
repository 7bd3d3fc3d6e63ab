/**
 * A server of the mode `acid` that dies between the COMMITs of two of its databases, at any point of operations that touch
 * objects in both: forks, sessions, deliveries, the directory. `npm run test:acid-crashes` takes all points, `npm test` some.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { createServer, type RunningServer } from "./create-server.ts";
import { SharedDatabase } from "./storage/shared-database.ts";

const POINTS = Number(process.env["ACID_POINTS"] ?? 4);
const SHARDS = 4;
const JSON_TYPE = { "Content-Type": "application/json" };
const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
const SOURCES = ["a", "b", "c"];

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "acid-crashes-"));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true });
});

function start(dataDir: string): Promise<RunningServer> {
  const storage = { mode: "acid", acidShardCount: SHARDS, dataDir } as const;
  return createServer({ storage, host: "127.0.0.1", port: 0, settings: SETTINGS });
}

/** A request that a client repeats until it is answered. */
interface Step {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

function put(stream: string, from?: string): Step {
  const headers = from === undefined ? {} : { "Stream-Forked-From": `/v1/stream/${from}` };
  return { method: "PUT", path: `/v1/stream/${stream}`, headers };
}

function append(stream: string, seq: number): Step {
  const headers = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": String(seq) };
  return { method: "POST", path: `/v1/stream/${stream}`, headers, body: [`${stream}${seq}`] };
}

/** In their order, each when the one before was answered. */
const STEPS: readonly Step[] = [
  ...SOURCES.map((source) => put(source)),
  ...SOURCES.map((source) => append(source, 0)),
  { method: "POST", path: "/v1/estuary/me/subscriptions", body: { sources: SOURCES, from: "-1" } },
  ...SOURCES.map((source) => append(source, 1)),
  ...SOURCES.map((source) => put(`fork-${source}`, source)),
  ...SOURCES.map((source) => append(`fork-${source}`, 0)),
  ...SOURCES.map((source) => append(source, 2)),
  { method: "DELETE", path: "/v1/stream/fork-a" },
  { method: "DELETE", path: "/v1/stream/b" },
  { method: "DELETE", path: "/v1/stream/fork-b" },
];

async function take({ url }: RunningServer, { method, path, headers, body }: Step): Promise<void> {
  const response = await fetch(url + path, {
    method,
    headers: { ...JSON_TYPE, ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  // What was deleted already is not there to be deleted again.
  const isGood = response.ok || (method === "DELETE" && [404, 410].includes(response.status));
  expect({ method, path, status: response.status, text, isGood }).toMatchObject({ isGood: true });
}

async function textOf({ url }: RunningServer, path: string): Promise<string> {
  const response = await fetch(url + path);
  return response.ok ? response.text() : String(response.status);
}

/** Everything is there once, and in order. */
async function expectWhole(server: RunningServer): Promise<void> {
  const stream = (name: string): Promise<string> => textOf(server, `/v1/stream/${name}`);
  expect(await Promise.all(["a", "c", "fork-c", "fork-a", "fork-b"].map(stream))).toEqual([
    '["a0","a1","a2"]',
    '["c0","c1","c2"]',
    '["c0","c1","fork-c0"]',
    "404",
    "404",
  ]);
  await vi.waitFor(
    async () => {
      const held = JSON.parse(await stream("me")) as readonly string[];
      // What was not delivered of a source when it was deleted is lost with it.
      const of = (source: string): readonly string[] => held.filter((text) => text.startsWith(source));
      expect([of("a"), of("c")]).toEqual([
        ["a0", "a1", "a2"],
        ["c0", "c1", "c2"],
      ]);
      expect(["b0", "b1", "b2"].slice(0, of("b").length)).toEqual(of("b"));
      const { streams } = JSON.parse(await textOf(server, "/v1/projects/default/streams")) as {
        readonly streams: readonly { readonly name: string }[];
      };
      expect(streams.map(({ name }) => name)).toEqual(["a", "c", "fork-c", "me"]);
    },
    { timeout: 30_000, interval: 20 },
  );
}

/**
 * What was deleted is gone, and its name is free. A fork that nobody knows whether it was made keeps its source until the
 * time of the request that makes it is over.
 */
async function expectFreed(server: RunningServer, dataDir: string): Promise<void> {
  let last = server;
  if ((await textOf(server, "/v1/stream/b")) === "410") {
    await server.close(0);
    const { now }: { readonly now: () => number } = Date;
    vi.spyOn(Date, "now").mockImplementation(() => now() + 3_600_000);
    last = await start(dataDir);
  }
  try {
    await vi.waitFor(async () => expect(await textOf(last, "/v1/stream/b")).toBe("404"), {
      timeout: 30_000,
      interval: 20,
    });
    await take(last, put("b"));
    expect(await textOf(last, "/v1/stream/b")).toBe("[]");
  } finally {
    await last.close(0);
    vi.restoreAllMocks();
  }
}

/** Runs all steps, and keeps the files as they are after each COMMIT. @returns how many steps were answered by then. */
async function record(): Promise<readonly { readonly directory: string; readonly answered: number }[]> {
  const dataDir = join(root, "recorded");
  const points: { directory: string; answered: number }[] = [];
  let answered = 0;
  const methods: { readonly commit: () => void } = SharedDatabase.prototype;
  const { commit } = methods;
  vi.spyOn(SharedDatabase.prototype, "commit").mockImplementation(function (this: SharedDatabase) {
    commit.call(this);
    const directory = join(root, `after-${points.length}`);
    mkdirSync(directory);
    const files = readdirSync(dataDir).filter((name) => name.includes(".sqlite") && !name.endsWith("-shm"));
    for (const name of files) copyFileSync(join(dataDir, name), join(directory, name));
    points.push({ directory, answered });
  });
  const server = await start(dataDir);
  // Before that, not all databases are there.
  points.length = 0;
  rmSync(join(root, "after-0"), { recursive: true, force: true });
  for (const step of STEPS) {
    await take(server, step);
    answered += 1;
  }
  await expectWhole(server);
  await server.close(0);
  vi.restoreAllMocks();
  return points;
}

it("[IN1] [IN14] acid: whatever a server has committed of an operation when it dies, the next one has all of it once", async () => {
  const points = await record();
  expect(points.length).toBeGreaterThan(2 * STEPS.length);
  const every = Math.max(1, Math.floor(points.length / POINTS));
  const first = Math.floor(Math.random() * every);
  for (const [nth, { directory, answered }] of points.entries()) {
    if (nth % every !== first) continue;
    const server = await start(directory);
    try {
      for (const step of STEPS.slice(answered)) await take(server, step);
      await expectWhole(server);
      await expectFreed(server, directory);
    } catch (error) {
      await server.close(0);
      throw new Error(`after COMMIT ${nth} of ${points.length}, with ${answered} steps answered`, { cause: error });
    }
  }
}, 600_000);
