import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { openStorage } from "../open-storage.ts";
import { WalFile } from "../threads/wal-file.ts";
import { hardenedSegments } from "./hardened-segments.ts";
import { MemorySegments } from "./memory-segments.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hardened-"));
});
afterEach(() => rmSync(root, { recursive: true }));

async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield new TextEncoder().encode("hello");
}

const { signal } = new AbortController();

it("[SM5] what was committed is durable before a segment is stored, and before one is deleted", async () => {
  const steps: string[] = [];
  const store = new MemorySegments();
  const segments: SegmentStore = {
    put: async (...put) => {
      steps.push("put");
      return store.put(...put);
    },
    get: (...range) => store.get(...range),
    list: (prefix) => store.list(prefix),
    delete: async (keys) => {
      steps.push("delete");
      await store.delete(keys);
    },
  };
  const harden = async (): Promise<void> => {
    await Promise.resolve();
    steps.push("durable");
  };
  const hardened = hardenedSegments(segments, harden);
  expect(await hardened.put("k/1", 5, chunks(), signal)).toBe(true);
  await hardened.delete(["k/1"]);
  expect(steps).toEqual(["durable", "put", "durable", "delete"]);
});

it("[SM5] what cannot be made durable is neither stored as a segment nor deleted", async () => {
  const store = new MemorySegments();
  await store.put("k/0", 5, chunks(), signal);
  const segments: SegmentStore = {
    put: (...put) => store.put(...put),
    get: (...range) => store.get(...range),
    list: (prefix) => store.list(prefix),
    delete: (keys) => store.delete(keys),
  };
  const hardened = hardenedSegments(segments, async () => {
    throw new Error("EIO");
  });
  await expect(hardened.put("k/1", 5, chunks(), signal)).rejects.toThrow("EIO");
  await expect(hardened.delete(["k/0"])).rejects.toThrow("EIO");
  expect(await store.list("k/")).toEqual(["k/0"]);
});

it.runIf(process.platform === "linux")("[SM8] a sync of the log that fails ends the server", async () => {
  const fatal: unknown[] = [];
  // It takes whatever is written, and cannot be synced.
  const wal = new WalFile("/dev/null", (error) => void fatal.push(error));
  await expect(wal.sync()).rejects.toThrow("EINVAL");
  expect(fatal).toHaveLength(1);
  await wal.close();
});

it("[SM5] the mode file-fast stores and deletes segments in this way", async () => {
  const events = { fire: async () => undefined, onFatal: () => undefined };
  const synced = vi.spyOn(WalFile.prototype, "sync");
  const storage = openStorage({ mode: "file-fast", dataDir: join(root, "data") }, events);
  expect(await storage.segments.put("p/s/1/0", 5, chunks(), signal)).toBe(true);
  await storage.segments.delete(["p/s/1/0"]);
  expect(synced).toHaveBeenCalledTimes(2);
  await storage.close();
  synced.mockRestore();
});
