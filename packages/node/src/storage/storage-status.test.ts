import { expect, it } from "vitest";

import { MemoryLimit } from "./modes/memory-limit.ts";
import { storageStatus } from "./storage-status.ts";

const FULL = { isFull: true, detail: "The disk is full." };

it("nothing can be stored when the disk says so, nor after a sync has failed, whatever the disk says", async () => {
  const storage = { hasFailed: false, memory: undefined, bucket: undefined };
  const asked: (number | undefined)[] = [];
  const disk = { fault: async (bytes?: number) => void asked.push(bytes), faultNow: async () => FULL };
  const status = storageStatus(storage, disk);
  expect([await status.fault(7), await status.faultNow(), asked]).toEqual([undefined, FULL, [7]]);
  expect(await storageStatus(storage, undefined).fault()).toBeUndefined();
  storage.hasFailed = true;
  expect([await status.fault(), await status.faultNow()]).toEqual([
    { isFull: false, detail: expect.stringContaining("started again") },
    { isFull: false, detail: expect.stringContaining("started again") },
  ]);
});

it("in memory, nothing more can be stored when the limit is reached, whatever the disk says", async () => {
  let used = 0;
  const memory = new MemoryLimit(100_000, () => used);
  const status = storageStatus({ hasFailed: false, memory, bucket: undefined }, undefined);
  expect([await status.fault(10_000), await status.fault()]).toEqual([undefined, undefined]);
  used = 90_000;
  expect(await status.fault(50_000)).toEqual({
    isFull: true,
    detail: "The streams in memory have reached their limit of 100000 bytes.",
    hint: expect.stringContaining("maxMemoryBytes"),
  });
  expect(await status.fault(100)).toBeUndefined();
  used = 0;
  expect([await status.fault(40_000), await status.faultNow()]).toEqual([undefined, undefined]);
});
