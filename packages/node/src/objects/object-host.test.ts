/** How many objects are in memory, and what becomes of those that are let go of. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { CreateCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { retryRpc } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { openStorage } from "../storage/open-storage.ts";
import { registryIn } from "../storage/registry-rows.ts";
import type { Storage } from "../storage/storage.ts";
import { ObjectHost } from "./object-host.ts";

const MAX = 4;

let dataDir: string;
let storage: Storage;
let objects: ObjectHost;
let held: PromiseWithResolvers<void>;
let isHolding: boolean;

beforeEach(() => {
  const onFatal = (error: unknown): never => {
    throw error;
  };
  dataDir = mkdtempSync(join(tmpdir(), "object-host-"));
  storage = openStorage({ mode: "file-fast", dataDir }, { fire: (due) => objects.fire(due), onFatal });
  const config = parseConfig({ AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" });
  objects = new ObjectHost(
    { storage, config, registry: registryIn(storage.first), send: fetch },
    { comfortable: 2, max: MAX },
  );
  held = Promise.withResolvers();
  isHolding = false;
  vi.spyOn(storage.first.database, "sync").mockImplementation(() => (isHolding ? held.promise : Promise.resolve()));
});

afterEach(async () => {
  held.resolve();
  await storage.close();
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

const EMPTY: CreateCommand = {
  contentType: "text/plain",
  lifetime: { kind: "forever" },
  retention: KEEP_ALL,
  closed: false,
  bytes: new Uint8Array(),
};

function create(name: string): ReturnType<ReturnType<typeof objects.peers.streams.getByName>["create"]> {
  return objects.peers.streams.getByName(`p/${name}`).create(EMPTY);
}

async function append(name: string, text: string): Promise<boolean> {
  const bytes = new Uint8Array(new TextEncoder().encode(text));
  const command = { bytes, contentType: "text/plain", close: false };
  return (await objects.peers.streams.getByName(`p/${name}`).append(command)).ok;
}

function loaded(): number {
  return [...objects.loaded().values()].reduce((sum, count) => sum + count, 0);
}

/** Uses other streams until none of the objects from before is in memory. */
async function useOthers(): Promise<void> {
  for (let index = 0; index < 2 * MAX; index += 1) expect((await create(`other-${index}`)).ok).toBe(true);
}

it("there are never more objects in memory than the limit, and all of them can be used", async () => {
  for (let index = 0; index < 30; index += 1) {
    expect([(await create(`s${index}`)).ok, await append(`s${index}`, String(index))]).toEqual([true, true]);
    expect(loaded()).toBeLessThanOrEqual(MAX);
  }
  for (let index = 0; index < 30; index += 1) {
    const head = await objects.peers.streams.getByName(`p/s${index}`).head();
    expect(head).toMatchObject({ ok: true, tail: String(index).length });
    expect(loaded()).toBeLessThanOrEqual(MAX);
  }
});

it("while all are in use no more are loaded: a caller is told to come back, nothing was done, and then it succeeds", async () => {
  isHolding = true;
  const creations = Array.from({ length: MAX }, (_, index) => create(`s${index}`));
  expect(loaded()).toBe(MAX);
  const refused = await retryRpc(() => create("one-more"));
  expect(refused).toMatchObject({ ok: false, problem: { code: "overloaded", headers: { "Retry-After": "1" } } });
  expect(loaded()).toBe(MAX);
  isHolding = false;
  held.resolve();
  expect((await Promise.all(creations)).map(({ ok }) => ok)).toEqual(creations.map(() => true));
  expect(await objects.peers.streams.getByName("p/one-more").head()).toMatchObject({ ok: false });
  expect(await create("one-more")).toMatchObject({ ok: true, created: true });
});

it("[IN8] a reader that is attached gets what is appended after its stream was let go of, and misses nothing", async () => {
  await create("read");
  const attached = await objects.attach("p/read", { kind: "now" }, { budget: "tokens", isLimited: false });
  if (!attached.ok || attached.channel === undefined) throw new Error("The reader is not attached.");
  const frames: LiveFrame[] = [];
  const ends: string[] = [];
  attached.channel.listen({ onFrame: (frame) => void frames.push(frame), onEnd: (reason) => void ends.push(reason) });
  for (const text of ["a", "b", "c"]) {
    await useOthers();
    expect(objects.isLoaded("stream", "p/read")).toBe(false);
    expect(await append("read", text)).toBe(true);
  }
  expect(frames.map(({ bytes }) => new TextDecoder().decode(bytes))).toEqual(["a", "b", "c"]);
  expect([frames.map(({ from }) => from), ends]).toEqual([[0, 1, 2], []]);
});

it("a stream is not let go of while an append of it, or the frame to its reader, waits for the disk", async () => {
  await create("read");
  const attached = await objects.attach("p/read", { kind: "now" }, { budget: "tokens", isLimited: false });
  if (!attached.ok || attached.channel === undefined) throw new Error("The reader is not attached.");
  const frames: string[] = [];
  attached.channel.listen({
    onFrame: ({ bytes }) => void frames.push(new TextDecoder().decode(bytes)),
    onEnd: (reason) => void frames.push(reason),
  });
  isHolding = true;
  const appending = append("read", "x");
  const others = Array.from({ length: 2 * MAX }, (_, index) => create(`other-${index}`).catch(String));
  const refused = (await Promise.all(others.slice(MAX))).filter((result) => typeof result === "string");
  expect([refused.length, objects.isLoaded("stream", "p/read"), frames]).toEqual([MAX, true, []]);
  isHolding = false;
  held.resolve();
  expect([await appending, await Promise.all(others.slice(0, MAX - 1)).then((all) => all.length)]).toEqual([true, 3]);
  expect(frames).toEqual(["x"]);
});

it("one whose writes were lost makes room for others, too", async () => {
  for (let index = 0; index < MAX; index += 1) await create(`s${index}`);
  vi.spyOn(storage.first.database, "commit").mockImplementationOnce(() => {
    throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
  });
  const lost = Array.from({ length: MAX }, (_, index) => append(`s${index}`, "x").catch(() => false));
  expect(await Promise.all(lost)).toEqual(lost.map(() => false));
  await useOthers();
  expect(loaded()).toBeLessThanOrEqual(MAX);
});
