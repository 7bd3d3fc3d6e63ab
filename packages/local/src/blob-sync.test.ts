import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { BlobSync } from "./blob-sync.ts";

const BLOBS = "r2/bucket/blobs";

let dataDir: string;
let synced: string[];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "blob-sync-"));
  synced = [];
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function write(path: string): void {
  mkdirSync(join(dataDir, path, ".."), { recursive: true });
  writeFileSync(join(dataDir, path), "x");
}

const noting = (): BlobSync =>
  new BlobSync(dataDir, async (path) => {
    synced.push(relative(dataDir, path));
  });

it("makes new files durable, then their folder, and each file only once", async () => {
  const blobs = noting();
  await blobs.sync();
  expect(synced).toEqual([]);
  write(`${BLOBS}/a`);
  write("kv/REGISTRY/blobs/k");
  await blobs.sync();
  const folders = ["r2/bucket", "r2", ""];
  expect(synced).toEqual([
    ...folders,
    `${BLOBS}/a`,
    BLOBS,
    "kv/REGISTRY",
    "kv",
    "",
    "kv/REGISTRY/blobs/k",
    "kv/REGISTRY/blobs",
  ]);
  synced = [];
  write(`${BLOBS}/b`);
  write(`${BLOBS}/.c.tmp`);
  await blobs.sync();
  expect(synced).toEqual([`${BLOBS}/b`, BLOBS]);
  rmSync(join(dataDir, `${BLOBS}/b`));
  await blobs.sync();
  write(`${BLOBS}/b`);
  synced = [];
  await blobs.sync();
  expect(synced).toEqual([`${BLOBS}/b`, BLOBS]);
});

it("a call during a pass waits for the next pass, which concurrent calls share", async () => {
  write(`${BLOBS}/a`);
  const gate = Promise.withResolvers<void>();
  const blobs = new BlobSync(dataDir, async (path) => {
    synced.push(relative(dataDir, path));
    await gate.promise;
  });
  const first = blobs.sync();
  write(`${BLOBS}/late`);
  const [second, third] = [blobs.sync(), blobs.sync()];
  expect(third).toBe(second);
  gate.resolve();
  await Promise.all([first, second]);
  expect(synced.filter((path) => path.endsWith("/late"))).toHaveLength(1);
});

it("fails when the disk fails, and tries again at the next call", async () => {
  write(`${BLOBS}/a`);
  let isBroken = true;
  const blobs = new BlobSync(dataDir, async (path) => {
    if (isBroken && path.endsWith("/a")) throw new Error("EIO");
    synced.push(relative(dataDir, path));
  });
  const second = Promise.allSettled([blobs.sync(), blobs.sync()]);
  expect((await second).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  isBroken = false;
  await blobs.sync();
  expect(synced).toContain(`${BLOBS}/a`);
});

it("syncs real files", async () => {
  write(`${BLOBS}/a`);
  await expect(new BlobSync(dataDir).sync()).resolves.toBeUndefined();
});
