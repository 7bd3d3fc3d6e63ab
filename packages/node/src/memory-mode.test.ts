/** The limit of the storage mode `memory`, looked at from outside. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { createServer, type RunningServer } from "./create-server.ts";

const TEXT = { "Content-Type": "text/plain" };
const MIB = 2 ** 20;
const LARGE = "x".repeat(200_000);

let server: RunningServer;
beforeEach(async () => {
  server = await createServer({
    storage: { mode: "memory", maxMemoryBytes: 3 * MIB },
    host: "127.0.0.1",
    port: 0,
    settings: {
      AUTH_MODE: "none",
      TENANCY: "single",
      LOG_LEVEL: "off",
      SEGMENT_BYTES: "65536",
      SEGMENT_BYTES_MIN: "1",
    },
  });
});
afterEach(() => server.close(0));

const url = (name: string): string => `${server.url}/v1/stream/${name}`;
const put = (name: string, headers = {}): Promise<Response> =>
  fetch(url(name), { method: "PUT", headers: { ...TEXT, ...headers } });
const post = (name: string, body: string, headers = {}): Promise<Response> =>
  fetch(url(name), { method: "POST", headers: { ...TEXT, ...headers }, body });
const remove = (name: string): Promise<Response> => fetch(url(name), { method: "DELETE" });

/** Appends until no more is taken. @returns how many appends were, and the answer to the next one. */
async function fill(name: string): Promise<{ stored: number; refused: Response }> {
  for (let stored = 0; stored < 100; stored += 1) {
    const response = await post(name, LARGE);
    if (!response.ok) return { stored, refused: response };
  }
  throw new Error("The memory has no end.");
}

it("[SM7] when the limit is reached, writes get 507 without effects, reads and deletions work, and deletions make room", async () => {
  for (const name of ["kept", "full"]) expect((await put(name)).status).toBe(201);
  expect((await post("kept", "kept")).status).toBe(204);
  const { stored, refused } = await fill("full");
  expect(stored).toBeGreaterThan(3);
  expect([refused.status, refused.headers.get("Retry-After")]).toEqual([507, "5"]);
  const problem = { code: "storage-full", effects: "none", hint: expect.stringContaining("maxMemoryBytes") };
  expect(await refused.json()).toMatchObject(problem);
  expect((await post("kept", LARGE)).status).toBe(507);
  expect(await (await fetch(url("kept"))).text()).toBe("kept");
  expect(await (await fetch(url("full"))).text()).toBe(LARGE.repeat(stored));
  // Retention and deletion take place in the background.
  expect((await remove("full")).status).toBe(204);
  await vi.waitFor(async () => expect((await post("kept", LARGE)).status).toBe(204), { timeout: 20_000 });
  expect(await (await fetch(url("kept"))).text()).toBe(`kept${LARGE}`);
});

it("[SM7] what an estuary delivers waits until there is room, and arrives once", async () => {
  expect((await put("source")).status).toBe(201);
  const subscribe = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '{"estuaryId":"session"}',
  };
  expect((await fetch(`${server.url}/v1/estuary/subscribe/source`, subscribe)).status).toBe(200);
  expect((await put("ballast")).status).toBe(201);
  await fill("ballast");
  const before = await (await fetch(url("session"))).text();
  // There is room for what is published, and not for its copy.
  let published = "";
  for (let count = 0; count < 200; count += 1) {
    const message = `<${count}>${"y".repeat(8_000)}`;
    if ((await post("source", message)).status !== 204) break;
    published += message;
  }
  expect([before, published.length > 0]).toEqual(["", true]);
  await remove("ballast");
  await vi.waitFor(async () => expect(await (await fetch(url("session"))).text()).toBe(published), { timeout: 30_000 });
});

it("[SM7] retention works in memory, and what it deletes makes room", async () => {
  const retained = await put("rolling", { "Stream-Retention-Bytes": "100000" });
  expect(retained.status).toBe(201);
  const statuses = new Set<number>();
  // Three times what there is room for.
  for (let bytes = 0; bytes < 9 * MIB;) {
    const { ok, status } = await post("rolling", LARGE);
    if (ok) bytes += LARGE.length;
    statuses.add(status);
  }
  expect([...statuses].filter((status) => status !== 507)).toEqual([204]);
});
