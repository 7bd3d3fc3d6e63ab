import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { DiskSpace } from "./disk-space.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "disk-space-"));
  mkdirSync(join(dataDir, "tmp"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const reservePath = (): string => join(dataDir, "reserve");
const reserveBytes = (): number => statSync(reservePath(), { throwIfNoEntry: false })?.size ?? 0;

/** A file system of a given size, of which other programs use a part. */
function disk(total: number, used: () => number, isOutOfFiles = false): DiskSpace {
  return new DiskSpace(dataDir, {
    space: () => ({ total, free: Math.max(0, total - used() - reserveBytes()), isOutOfFiles }),
  });
}

it.each([
  ["a large disk keeps 64 MiB", 1024 * GIB, 64 * MIB],
  ["a disk of 1 GiB keeps 2 %", GIB, 0.02 * GIB],
  ["a tiny disk keeps 1 MiB", 6 * MIB, MIB],
])("%s", async (_, total, spare) => {
  let free = spare + 100 * KIB;
  const space = disk(total, () => total - free);
  expect(await space.check()).toEqual({ fault: null, roomBytes: expect.closeTo(100 * KIB, -1) });
  free = spare - 100 * KIB;
  expect(await space.check()).toMatchObject({
    fault: { isFull: true, detail: expect.stringContaining("free") },
    roomBytes: 0,
  });
});

describe("the reserve", () => {
  it("consists of real bytes, is removed when the disk is nearly full, and is created again when there is space", async () => {
    let used = 0;
    const space = disk(GIB, () => used);
    await space.check();
    expect(reserveBytes()).toBe(8 * MIB);
    expect(statSync(reservePath()).blocks * 512).toBeGreaterThanOrEqual(8 * MIB);
    used = GIB - 30 * MIB;
    expect(await space.check()).toMatchObject({ fault: null });
    used = GIB - 8 * MIB;
    expect(await space.check()).toMatchObject({ fault: { isFull: true } });
    expect(existsSync(reservePath())).toBe(false);
    used = GIB - 30 * MIB;
    await space.check();
    expect(existsSync(reservePath())).toBe(false);
    used = 0;
    expect(await space.check()).toMatchObject({ fault: null });
    expect(reserveBytes()).toBe(8 * MIB);
  });

  it("is not created on a disk with little space", async () => {
    await disk(6 * MIB, () => 4.5 * MIB).check();
    expect(existsSync(reservePath())).toBe(false);
  });
});

it("a file system without free inodes counts as full", async () => {
  expect(await disk(GIB, () => 0, true).check()).toMatchObject({ fault: { isFull: true } });
});

it.each([
  ["ENOSPC", true],
  ["EDQUOT", true],
  ["EROFS", false],
  ["EIO", false],
])("%s at a write is reported", async (code, isFull) => {
  const probe = async (): Promise<void> => {
    throw Object.assign(new Error(`${code}: /secret/path`), { code });
  };
  const { fault } = await new DiskSpace(dataDir, { probe }).check();
  expect(fault).toMatchObject({ isFull, detail: expect.stringContaining(code) });
  expect(fault?.detail).not.toContain("/secret/path");
});

it("leaves only the reserve on a real disk, and reports a missing directory as not writable", async () => {
  expect(await new DiskSpace(dataDir).check()).toMatchObject({ fault: null });
  expect([readdirSync(dataDir), readdirSync(join(dataDir, "tmp"))]).toEqual([["reserve", "tmp"], []]);
  expect(await new DiskSpace(join(dataDir, "gone")).check()).toMatchObject({ fault: { isFull: false } });
});
