import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { openStorage } from "../open-storage.ts";
import { StorageError } from "../storage-error.ts";
import { checkedStorage, type StorageOptions } from "./options.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "storage-options-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const WRONG: readonly (readonly [options: object, message: string])[] = [
  [{ mode: "disk" }, "one of memory, file-fast, file-durable, acid"],
  [{ mode: "file-durable", dataDir: undefined }, "needs a data directory"],
  [{ mode: "acid", dataDir: "" }, "needs a data directory"],
  [{ mode: "acid", acidShardCount: 0 }, "a whole number from 1 to 64, but it is 0"],
  [{ mode: "acid", acidShardCount: 65 }, "but it is 65"],
  [{ mode: "acid", acidShardCount: 1.5 }, "but it is 1.5"],
  [{ mode: "file-durable", acidShardCount: 4 }, "belongs to the storage mode acid"],
  [{ mode: "memory", maxMemoryBytes: 1_000 }, "a whole number from 1048576"],
  [{ mode: "file-fast", maxMemoryBytes: 10_000_000 }, "belongs to the storage mode memory"],
];

it.each(WRONG)("the options %j are refused with what to do, and leave no trace", (wrong, message) => {
  const dataDir = join(root, "data");
  const options = { dataDir, ...wrong } as StorageOptions;
  const events = { fire: async () => undefined, onFatal: () => undefined };
  const refused = { name: "StorageError", message: expect.stringContaining(message), fix: expect.stringMatching(/\w/) };
  expect(() => openStorage(options, events)).toThrow(expect.objectContaining(refused));
  expect(() => openStorage(options, events)).toThrow(StorageError);
  expect(existsSync(dataDir)).toBe(false);
});

it("without a mode, the server stores durably; in memory, it ignores the data directory and stores 1 GiB at most", () => {
  expect(checkedStorage({ dataDir: "d" })).toMatchObject({ mode: "file-durable", dataDir: "d", shardCount: undefined });
  expect(checkedStorage({ mode: "memory", dataDir: "d" })).toMatchObject({
    dataDir: undefined,
    memoryBytesMax: 2 ** 30,
  });
});
