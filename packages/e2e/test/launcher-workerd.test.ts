/** What the launcher does for workerd: its crashes, its files, its limits. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { append, create, eventually, metricsOf, read, tryToLaunch } from "../src/launcher.ts";

let dataDir: string;
let servers: ServerProcess[];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "launcher-"));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.kill9()));
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(options: { vars?: Record<string, string>; filesMax?: number } = {}): Promise<ServerProcess> {
  const server = await startServer({ dataDir, ...options, flags: ["--metrics-port", "0"] });
  servers.push(server);
  return server;
}

function workerdPid(): number {
  return Number(readFileSync(join(dataDir, "workerd"), "utf8").split("\n", 1)[0]);
}

it("[DU1] what was acknowledged is there after a crash of workerd, on the same port", async () => {
  const server = await start();
  await create(server.url);
  await append(server.url, "before");
  const crashed = workerdPid();
  process.kill(crashed, "SIGKILL");
  await eventually(async () => workerdPid() !== crashed && (await fetch(`${server.url}/readyz`)).ok, 10_000);
  expect(await read(server.url)).toEqual(["before"]);
  expect(await server.stop()).toBe(0);
});

it("when a workerd crashes again and again: the launcher gives up", async () => {
  const server = await start();
  for (let crash = 0; crash < 5; crash++) {
    const crashed = workerdPid();
    process.kill(crashed, "SIGKILL");
    await eventually(
      async () => crash === 4 || (workerdPid() !== crashed && (await fetch(`${server.url}/readyz`)).ok),
      10_000,
    );
  }
  await eventually(async () => server.log().includes("crashed 5 times"), 10_000);
  expect(await server.stop()).toBe(1);
});

it("no client and no other user reaches what the launcher asks of the Worker", async () => {
  const server = await start();
  await create(server.url);
  for (const [method, path] of [
    ["GET", "/metrics"],
    ["POST", "/end-live-reads"],
  ] as const) {
    expect((await fetch(server.url + path, { method })).status).toBe(404);
  }
  expect(statSync(join(dataDir, "tmp/control")).isSocket()).toBe(true);
  expect(statSync(join(dataDir, "tmp")).mode & 0o077).toBe(0);
});

it("the data of the engine node is refused, with what to do", () => {
  writeFileSync(join(dataDir, "streams.sqlite"), "");
  const { status, stderr } = tryToLaunch(dataDir, ["--port", "0"]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/belongs to the engine "node"[^]*Fix: .*--engine node/);
});

it("Prometheus gets the number of workerd's crashes", async () => {
  const server = await start();
  const crashed = workerdPid();
  process.kill(crashed, "SIGKILL");
  await eventually(async () => workerdPid() !== crashed && (await fetch(`${server.url}/readyz`)).ok, 10_000);
  expect(await metricsOf(server)).toMatch(/^durable_streams_up 1\n(.*\n){2}durable_streams_workerd_crashes_total 1$/m);
});

it("[DU3] a stream whose file is damaged fails alone, and the log names the file, which may be moved away", async () => {
  const first = await start();
  await create(first.url);
  await append(first.url, "lost");
  await first.stop();
  const directory = join(dataDir, "do/durable-streams-StreamDO");
  const [file = ""] = readdirSync(directory).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  writeFileSync(join(directory, file), "x".repeat(8192));
  const second = await start();
  expect((await fetch(`${second.url}/v1/stream/kept`)).status).toBe(500);
  expect((await fetch(`${second.url}/v1/stream/other`, { method: "PUT" })).status).toBe(201);
  await expect.poll(() => second.log()).toContain(`"durable_object.id":"${file.replace(".sqlite", "")}"`);
  await second.stop();
  for (const name of readdirSync(directory)) if (name.startsWith(file)) rmSync(join(directory, name));
  const third = await start();
  await create(third.url);
  expect(await read(third.url)).toEqual([]);
});

it("more streams at a time than it may open files for get 503, and neither they nor the server are harmed", async () => {
  const server = await start({ filesMax: 256 });
  expect(server.log()).toContain("may open only 256 files");
  const workerd = workerdPid();
  const statuses: number[] = [];
  // Few at a time, since connections are files as well.
  for (let n = 0; n < 48; n += 8) {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => fetch(`${server.url}/v1/stream/s${n + i}`, { method: "PUT" })),
    );
    for (const answer of answers.filter(({ status }) => status === 503)) {
      expect(await answer.json()).toMatchObject({ code: "overloaded", effects: "none" });
    }
    statuses.push(...answers.map(({ status }) => status));
  }
  expect(new Set(statuses)).toEqual(new Set([201, 503]));
  expect(workerdPid()).toBe(workerd);
  // A stream that is in use goes on being served.
  const used = statuses.indexOf(201);
  expect((await fetch(`${server.url}/v1/stream/s${used}`, { method: "HEAD" })).status).toBe(200);
  // Those that are not used any more make room.
  const late = `${server.url}/v1/stream/late`;
  await eventually(async () => (await fetch(late, { method: "PUT" })).ok, 60_000);
});

it("what an upload that was cut off has left is removed at the start, and nothing else", async () => {
  const server = await start({ vars: { SEGMENT_BYTES: "65536" } });
  await create(server.url);
  await append(server.url, "x".repeat(100_000));
  const blobs = join(dataDir, "r2/durable-streams-segments/blobs");
  await eventually(async () => readdirSync(blobs).length === 1, 20_000);
  await server.stop();
  writeFileSync(join(blobs, "cut-off"), "x");
  const again = await start();
  expect(readdirSync(blobs)).toHaveLength(1);
  expect(await read(again.url)).toEqual(["x".repeat(100_000)]);
});

it("the launcher refuses a damaged file of workerd's own, which it names with the fix", async () => {
  const server = await start();
  await create(server.url);
  await server.stop();
  const path = join(dataDir, "do/durable-streams-StreamDO/metadata.sqlite");
  writeFileSync(path, "x".repeat(8192));
  const { status, stderr } = tryToLaunch(dataDir, ["--port", "0"]);
  expect(status).toBe(1);
  expect(stderr).toContain(`${path} is damaged`);
  for (const name of [path, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true });
  expect(await read((await start()).url)).toEqual([]);
});
