import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import * as fsPromises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { folderSegments, sweepParts } from "./folder-segments.ts";

let dataDir: string;
let root: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "segments-"));
  root = join(dataDir, "segments");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

const KEY = "p/s/0001/0000-0005";

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

async function textOf(key: string, offset: number, length: number): Promise<string | undefined> {
  const stream = await folderSegments(root).get(key, offset, length);
  return stream === undefined ? undefined : new Response(stream).text();
}

function files(): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((it) => (it.isFile() ? [it.name] : []));
}

/** The steps on files and folders, in their order. */
async function steps(work: () => Promise<unknown>): Promise<readonly string[]> {
  const seen: string[] = [];
  const probe = await fsPromises.open(dataDir, "r");
  const handles = Object.getPrototypeOf(probe) as { sync: () => Promise<void>; stat: typeof probe.stat };
  await probe.close();
  const { sync } = handles;
  vi.spyOn(handles, "sync").mockImplementation(async function (this: typeof probe) {
    const isFolder = (await this.stat()).isDirectory();
    const isNamed = files().some((name) => !name.endsWith(".part"));
    seen.push(`${isFolder ? "folder" : "file"} synced ${isNamed ? "after" : "before"} it is named`);
    await sync.call(this);
  });
  await work();
  return seen;
}

it("a segment has its name only when it is durable, and is there when its name is durable in every folder above it", async () => {
  const put = (): Promise<unknown> =>
    folderSegments(root).put(KEY, 5, chunks("he", "llo"), new AbortController().signal);
  expect(await steps(put)).toEqual([
    "file synced before it is named",
    ...Array.from({ length: 4 }, () => "folder synced after it is named"),
  ]);
  expect(await textOf(KEY, 1, 3)).toBe("ell");
});

it("a name that is taken keeps what it stands for, and is made durable all the same", async () => {
  const store = folderSegments(root);
  const { signal } = new AbortController();
  expect(await store.put(KEY, 5, chunks("hello"), signal)).toBe(true);
  let isNew: boolean | undefined;
  const seen = await steps(async () => {
    isNew = await store.put(KEY, 5, chunks("other"), signal);
  });
  expect([isNew, seen.filter((step) => step.startsWith("folder")).length]).toEqual([false, 4]);
  expect([await textOf(KEY, 0, 5), files()]).toEqual(["hello", ["0000-0005"]]);
});

it("an upload that breaks off, is too short or is aborted leaves nothing", async () => {
  const store = folderSegments(root);
  const broken = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    yield* chunks("he");
    throw new Error("torn");
  };
  const { signal } = new AbortController();
  await expect(store.put(KEY, 5, broken(), signal)).rejects.toThrow("torn");
  await expect(store.put(KEY, 5, chunks("he"), signal)).rejects.toThrow("A segment of 5 bytes came to 2.");
  await expect(store.put(KEY, 5, chunks("hello"), AbortSignal.abort(new Error("late")))).rejects.toThrow("late");
  expect([await textOf(KEY, 0, 5), files()]).toEqual([undefined, []]);
});

it("a disk that takes less than it is given is given the rest", async () => {
  const probe = await fsPromises.open(dataDir, "r");
  const handles = Object.getPrototypeOf(probe) as { write: (...given: readonly unknown[]) => Promise<unknown> };
  await probe.close();
  const { write } = handles;
  vi.spyOn(handles, "write").mockImplementation(function (this: unknown, bytes, at) {
    return write.call(this, bytes, at, 1);
  });
  const put = folderSegments(root).put(KEY, 5, chunks("he", "llo"), new AbortController().signal);
  expect([await put, await textOf(KEY, 0, 5)]).toEqual([true, "hello"]);
});

it("an upload that was interrupted is removed at the next start, and nothing else is", async () => {
  const store = folderSegments(root);
  await store.put(KEY, 5, chunks("hello"), new AbortController().signal);
  sweepParts(root);
  const parts = join(root, "parts");
  for (const name of ["a.part", "b.part"]) await fsPromises.writeFile(join(parts, name), "he");
  expect(files()).toHaveLength(3);
  sweepParts(root);
  expect([files(), await textOf(KEY, 0, 5)]).toEqual([["0000-0005"], "hello"]);
  sweepParts(join(root, "none"));
});

it("what an interrupted upload of an older server has left is listed and deleted with the segments", async () => {
  const store = folderSegments(root);
  const { signal } = new AbortController();
  await store.put(KEY, 5, chunks("hello"), signal);
  const [folder] = readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((it) =>
    it.isFile() ? [it.parentPath] : [],
  );
  await fsPromises.writeFile(join(folder ?? "", "left.part"), "he");
  const keys = await store.list("p/s/0001/");
  expect(keys.toSorted()).toEqual([KEY, "p/s/0001/left.part"]);
  await store.delete([...keys, "p/other/0001/gone"]);
  expect([files(), await store.list("p/s/0001/")]).toEqual([[], []]);
});

it("a segment is read in place, and whether a block has its SHA-256 is known", async () => {
  const store = folderSegments(root);
  await store.put(KEY, 5, chunks("hello"), new AbortController().signal);
  const file = await store.open?.(KEY);
  const target = new Uint8Array(8);
  expect([await file?.read(target, 2), Buffer.from(target).toString("latin1", 0, 3)]).toEqual([3, "llo"]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", target));
  const block = new Uint8Array([...digest, ...target]);
  expect(file?.isIntact(block, 0)).toBe(true);
  block[39] = 1;
  expect(file?.isIntact(block, 0)).toBe(false);
  await file?.close();
  expect(await store.open?.("p/s/0001/none")).toBeUndefined();
});
