import { DEFAULT_SETTINGS } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { STREAM_NAME_BYTES_MAX } from "@durable-streams-cloudflare/protocol";
import { beforeEach, expect, it } from "vitest";

import { readerKeyKey, Registry } from "./registry.ts";

const SECRET = "x".repeat(32);

function recordOf(name: string): string {
  return JSON.stringify({
    ...DEFAULT_SETTINGS,
    name,
    createdAtMs: 0,
    readUrlsFromMs: 0,
    secrets: [{ kid: "k", secret: SECRET, createdAtMs: 0 }],
  });
}

let reads: string[] = [];
let records = new Map<string, string>();
let isDown = false;
let unanswered = false;
let nowMs = 0;
let registry: Registry;

beforeEach(() => {
  reads = [];
  records = new Map([["project:a", recordOf("a")]]);
  isDown = false;
  nowMs = 1_000_000;
  const get = async (key: string): Promise<string | null> => {
    reads.push(key);
    if (isDown) throw new Error("KV is down.");
    if (unanswered) return Promise.withResolvers<string>().promise;
    return records.get(key) ?? null;
  };
  registry = new Registry({ get }, () => nowMs);
});

/** The project, where there is one. */
async function projectOf(name: string): Promise<Project | undefined> {
  const found = await registry.project(name);
  if (!found.ok) throw new Error(found.problem.detail);
  return found.project;
}

it("a project that was looked up lately costs no read, whether it exists or not", async () => {
  for (let count = 0; count < 100; count += 1) {
    expect((await projectOf("a"))?.record.name).toBe("a");
    expect(await projectOf("b")).toBeUndefined();
  }
  expect(reads).toEqual(["project:a", "project:b"]);
});

it("the keys of its secrets are imported once", async () => {
  const first = await projectOf("a");
  expect((await projectOf("a"))?.keys.get("k")).toBe(first?.keys.get("k"));
});

it("a change is seen after half a minute, and at once where it was made", async () => {
  await projectOf("a");
  records.delete("project:a");
  nowMs += 29_999;
  expect(await projectOf("a")).toBeDefined();
  nowMs += 1;
  expect(await projectOf("a")).toBeUndefined();
  records.set("project:a", recordOf("a"));
  registry.forget("a");
  expect(await projectOf("a")).toBeDefined();
});

it("while one request reads what is no longer fresh, all others go on with what was known", async () => {
  await projectOf("a");
  reads = [];
  nowMs += 30_000;
  const all = await Promise.all(Array.from({ length: 1_000 }, () => projectOf("a")));
  expect(all.every((project) => project?.record.name === "a")).toBe(true);
  expect(reads).toEqual(["project:a"]);
});

it("a read that never ends is replaced by another one five seconds later", async () => {
  await projectOf("a");
  nowMs += 30_000;
  unanswered = true;
  void projectOf("a");
  unanswered = false;
  records.delete("project:a");
  nowMs += 4_999;
  expect(await projectOf("a")).toBeDefined();
  nowMs += 1;
  expect(await projectOf("a")).toBeUndefined();
});

it("what was read before a change was made here does not come back after it", async () => {
  const before = projectOf("a");
  registry.forget("a");
  records.delete("project:a");
  expect(await before).toBeDefined();
  expect(await projectOf("a")).toBeUndefined();
});

it("an invalid project name is never looked up", async () => {
  for (const name of ["", "a/b", "../a", "a b", "é", "__ds", "x".repeat(64)]) {
    expect(await projectOf(name)).toBeUndefined();
  }
  expect(reads).toEqual([]);
});

it("what was known stays true for five minutes while KV is down, and no longer", async () => {
  await projectOf("a");
  isDown = true;
  nowMs += 299_999;
  expect(await projectOf("a")).toBeDefined();
  nowMs += 1;
  for (const name of ["a", "new"])
    expect(await registry.project(name)).toMatchObject({ ok: false, problem: { code: "unavailable" } });
  expect(await registry.readerKey("a", "s")).toMatchObject({ ok: false, problem: { code: "unavailable" } });
});

it("a thousand projects are remembered, and the oldest is forgotten then", async () => {
  for (let count = 0; count <= 1_000; count += 1) records.set(`project:p${count}`, recordOf(`p${count}`));
  for (let count = 0; count <= 1_000; count += 1) await projectOf(`p${count}`);
  reads = [];
  await projectOf("p1000");
  expect(reads).toEqual([]);
  await projectOf("p0");
  expect(reads).toContain("project:p0");
});

it("a missing project is remembered as well, up to a thousand, and evicts no existing one", async () => {
  await projectOf("a");
  for (let count = 0; count <= 1_000; count += 1) await projectOf(`p${count}`);
  reads = [];
  await projectOf("a");
  await projectOf("p1000");
  expect(reads).toEqual([]);
  await projectOf("p0");
  expect(reads).toEqual(["project:p0"]);
});

it("what need not be looked up is answered without reading anything", async () => {
  expect([registry.knows("a"), registry.knows("missing"), registry.knows("no/name")]).toEqual([false, false, true]);
  await projectOf("a");
  await projectOf("missing");
  expect([registry.knows("a"), registry.knows("missing")]).toEqual([true, true]);
  nowMs += 30_000;
  expect([registry.knows("a"), registry.knows("missing")]).toEqual([true, false]);
});

it("keys fit into KV, whatever project and stream are called", () => {
  const key = readerKeyKey("p".repeat(63), "ü".repeat(STREAM_NAME_BYTES_MAX / 2));
  expect(Buffer.byteLength(key)).toBeLessThanOrEqual(512);
});
