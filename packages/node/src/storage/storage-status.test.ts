import { expect, it } from "vitest";

import { storageStatus } from "./storage-status.ts";

const FULL = { isFull: true, detail: "The disk is full." };

it("nothing can be stored when the disk says so, nor after a sync has failed, whatever the disk says", async () => {
  const commits = { hasFailed: false };
  const asked: (number | undefined)[] = [];
  const disk = { fault: async (bytes?: number) => void asked.push(bytes), faultNow: async () => FULL };
  const status = storageStatus(commits, disk);
  expect([await status.fault(7), await status.faultNow(), asked]).toEqual([undefined, FULL, [7]]);
  expect(await storageStatus(commits, undefined).fault()).toBeUndefined();
  commits.hasFailed = true;
  expect([await status.fault(), await status.faultNow()]).toEqual([
    { isFull: false, detail: expect.stringContaining("started again") },
    { isFull: false, detail: expect.stringContaining("started again") },
  ]);
});
