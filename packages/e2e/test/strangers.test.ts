/**
 * What strangers and readers ask for leaves nothing behind on one machine: no file, no open file, no memory.
 * `STRANGER_REQUESTS` says how many are sent; from 10,000 on the owner's pace meanwhile is measured, too.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { watchMemory } from "../src/memory-watch.ts";
import { append, create, send, TEXT } from "../src/requests.ts";
import { storedObjects } from "../src/stored.ts";
import { bearer, createProject, PROJECT_VARS, type TestProject } from "../src/test-project.ts";

interface Route {
  readonly method: string;
  readonly path: string;
  readonly needs: string;
}

// The server's own table, which is typed for Workers.
const TABLE = new URL("../../http/src/routing/table.ts", import.meta.url).href;
const { ROUTES } = (await import(TABLE)) as { readonly ROUTES: readonly Route[] };

const REQUESTS = Number(process.env["STRANGER_REQUESTS"] ?? 600);
const PACED_FROM = 10_000;
const AT_ONCE = 16;
const MEMORY_MB_MAX = 64;
const APPENDS = 300;
/** Of the owner's pace before. While as much as the machine can take is asked, everybody has a share of it. */
const PACE_MIN = 0.5;

let dataDir = "";
let server: ServerProcess;
let project: TestProject;
let stream = "";

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "strangers-"));
  server = await startServer({ dataDir, vars: PROJECT_VARS });
  project = await createProject(server.url, "owned", { publicStreams: ["open/*"] });
  stream = `${server.url}/v1/stream/owned/own`;
  await create(stream, { headers: { ...TEXT, ...bearer(project) } });
  // The project makes it when it has heard of the first stream.
  const registry = `${server.url}/v1/stream/owned/__registry__`;
  await vi.waitFor(async () => {
    const { status } = await send("GET", registry, { headers: bearer(project) });
    if (status !== 200) throw new Error(`the registry is answered ${status}`);
  }, 20_000);
});

afterAll(async () => {
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

const objects = (): string[] => storedObjects(dataDir);

function openFiles(): number {
  return readdirSync(`/proc/${server.servingPid()}/fd`).length;
}

async function inTurn(times: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < times) await work((next += 1));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

const SHOWN = [{}, { Authorization: "Bearer x" }, { Authorization: "Bearer a.b.c" }, { Authorization: "Basic eA==" }];
const QUERIES = ["", "?token=a.b.c", `?key=rk_${"x".repeat(32)}`, "?offset=-1&live=sse"];

/** A request of somebody without any right, each to another name. */
async function askAsStranger(index: number): Promise<void> {
  const route = ROUTES[index % ROUTES.length] ?? ROUTES[0];
  if (route === undefined) return;
  const path = route.path
    .replace(":project", index % 2 === 0 ? "owned" : `project-${index}`)
    .replaceAll(/:(?:stream|session|id|item)/g, `name-${index}`);
  const query = QUERIES[Math.floor(index / ROUTES.length) % QUERIES.length] ?? "";
  const body = ["GET", "HEAD"].includes(route.method) ? {} : { body: '{"wake_id":"w","generation":1,"estuaryId":"e"}' };
  const answer = await send(route.method, server.url + path + query, {
    headers: SHOWN[index % SHOWN.length] ?? {},
    ...body,
  });
  expect(route.needs === "nothing" ? [200, 429] : [401, 429]).toContain(answer.status);
}

/** Appends of the owner a second, one after the other. */
async function pace(): Promise<number> {
  const startedAt = performance.now();
  for (let count = 0; count < APPENDS; count += 1) {
    expect((await append(stream, "x", { ...TEXT, ...bearer(project) })).status).toBe(204);
  }
  return (APPENDS / (performance.now() - startedAt)) * 1_000;
}

it(`[IN20] ${REQUESTS} requests without a right, over all routes, make no file, open none, and take no memory`, async () => {
  // The runtime's heaps grow to a size of their own with whatever is done first, and stay there.
  await inTurn(REQUESTS, askAsStranger);
  await append(stream, "warm", { ...TEXT, ...bearer(project) });
  const alone = REQUESTS >= PACED_FROM ? await pace() : 1;
  const [filesBefore, openBefore] = [objects(), openFiles()];
  let beside = 1;
  const memory = await watchMemory(server.servingPid(), async () => {
    const asking = inTurn(REQUESTS, (index) => askAsStranger(1_000_000 + index));
    if (REQUESTS >= PACED_FROM) beside = await pace();
    await asking;
  });
  const after = REQUESTS >= PACED_FROM ? await pace() : 1;
  expect(objects()).toEqual(filesBefore);
  expect(openFiles()).toBeLessThan(openBefore + 2 * AT_ONCE + 10);
  expect(memory.peakMb - memory.startMb).toBeLessThan(MEMORY_MB_MAX);
  const { startMb, peakMb } = memory;
  process.stdout.write(
    `strangers: ${REQUESTS} requests; memory ${startMb.toFixed(0)} to ${peakMb.toFixed(0)} MB; open files ${openBefore} to ${openFiles()}; the owner's pace beside them ${(beside / alone).toFixed(2)}, after them ${(after / alone).toFixed(2)} of that before\n`,
  );
  expect(after / alone).toBeGreaterThan(PACE_MIN);
}, 600_000);

describe("[IN20] what is not there leaves nothing on the disk, for whoever asks", () => {
  it.each([
    ["readers of a public prefix", "open/", {}],
    ["the owner's token that reads", "private/", { scope: "read" }],
    ["the owner's token that does everything", "private/", { scope: "manage" }],
  ])("%s", async (_who, prefix, { scope }: { scope?: string }) => {
    const before = objects();
    const headers = scope === undefined ? {} : bearer(project, scope);
    const root = `${server.url}/v1/stream/owned/`;
    for (let index = 0; index < 20; index += 1) {
      const name = `${prefix}made-up-${index}`;
      for (const query of ["", "?offset=-1&live=sse", "?offset=now&live=long-poll"])
        expect((await send("GET", root + name + query, { headers })).status).toBe(404);
      expect((await send("HEAD", root + name, { headers })).status).toBe(404);
      if (scope === undefined) continue;
      expect((await send("GET", `${root}__ds/subscriptions/made-up-${index}`, { headers })).status).toBe(404);
      expect((await send("GET", `${server.url}/v1/estuary/owned/made-up-${index}`, { headers })).status).toBe(404);
      expect((await send("POST", `${server.url}/v1/estuary/owned/made-up-${index}/touch`, { headers })).status).toBe(
        404,
      );
      if (scope !== "manage") continue;
      const followers = `${server.url}/v1/estuary/subscribe/owned/made-up-${index}`;
      expect((await send("GET", followers, { headers })).status).toBe(200);
      expect((await append(root + name, "x", { ...TEXT, ...headers })).status).toBe(404);
      expect((await send("DELETE", root + name, { headers })).status).toBe(404);
    }
    expect(objects()).toEqual(before);
  });

  let storedWithIt = 0;

  it("a stream that is made after it was asked for is there at once, and after a restart", async () => {
    const url = `${server.url}/v1/stream/owned/asked-first`;
    expect((await send("GET", url, { headers: bearer(project) })).status).toBe(404);
    await create(url, { headers: { ...TEXT, ...bearer(project) }, body: "made" });
    storedWithIt = objects().length;
    expect((await send("GET", url, { headers: bearer(project) })).text).toBe("made");
    await server.stop();
    server = await startServer({ dataDir, vars: PROJECT_VARS });
    const again = `${server.url}/v1/stream/owned/asked-first`;
    expect((await send("GET", again, { headers: bearer(project) })).text).toBe("made");
    expect((await send("DELETE", again, { headers: bearer(project) })).status).toBe(204);
    expect((await send("GET", again, { headers: bearer(project) })).status).toBe(404);
  });

  it("[DE5] what was deleted is gone from the disk after the next start", async () => {
    await server.stop();
    server = await startServer({ dataDir, vars: PROJECT_VARS });
    expect(objects().length).toBeLessThan(storedWithIt);
  });
});
