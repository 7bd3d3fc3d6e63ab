/**
 * Core's segment store in a folder. A segment is written to a temporary file, synced, and then linked to its name, which fails
 * if the name exists. So a name never stands for an incomplete segment, and the rows that it replaces are dropped only once it
 * is on disk.
 */

import { createHash, randomUUID } from "node:crypto";
import { existsSync, opendirSync, rmSync } from "node:fs";
import { link, mkdir, open, readdir, rm, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { SegmentFile, SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import { syncDirectoryLater } from "../folders.ts";
import { VerifiedBlocks } from "./verified-blocks.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Keys in one answer. */
const LIST_MAX = 1_000;
const READ_BYTES = 256 * 1024;
/** The folder of uploads that are under way. The folders of segments have names of two digits. */
export const PARTS = "parts";
/** Uploads that a server has under way at a time are far fewer. */
const SWEPT_MAX = 10_000;

/**
 * Creates a segment store in a folder.
 * @param root the folder, which is created when the first segment is stored.
 */
export function folderSegments(root: string): SegmentStore {
  const verified = new VerifiedBlocks();
  return {
    put: (key, size, chunks, signal) => put(root, { key, size, chunks, signal }),
    get: (key, offset, length) => get(root, key, offset, length),
    open: (key) => openSegment(root, key, verified),
    list: (prefix) => list(root, prefix),
    delete: async (keys) => {
      for (const key of keys) {
        verified.forget(key);
        await rm(segmentPath(root, key), { force: true });
      }
      // Otherwise a power cut could bring back what nothing refers to any more.
      for (const folder of new Set(keys.map((key) => folderOf(root, key)))) await syncDirectoryLater(folder);
    },
  };
}

/**
 * Removes the temporary files of uploads that were interrupted when the server was killed. Call it while no upload is in
 * progress. It removes at most 10,000 files, so that a start never takes long; the next start removes the rest.
 * @returns the number of removed files.
 */
export function sweepParts(root: string): number {
  // What cannot be used is found out now, and not when the first segment is full.
  if (existsSync(root)) opendirSync(root).closeSync();
  const path = join(root, PARTS);
  if (!existsSync(path)) return 0;
  const parts = opendirSync(path);
  try {
    for (let swept = 0; swept < SWEPT_MAX; swept += 1) {
      const entry = parts.readSync();
      if (entry === null) return swept;
      rmSync(join(path, entry.name), { force: true });
    }
    return SWEPT_MAX;
  } finally {
    parts.closeSync();
  }
}

interface Put {
  readonly key: string;
  readonly size: number;
  readonly chunks: AsyncIterable<Bytes>;
  readonly signal: AbortSignal;
}

async function put(root: string, { key, size, chunks, signal }: Put): Promise<boolean> {
  const folder = folderOf(root, key);
  const parts = join(root, PARTS);
  for (const path of [folder, parts]) await mkdir(path, { recursive: true, mode: 0o700 });
  const temporary = join(parts, `${randomUUID()}.part`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      let written = 0;
      for await (const chunk of chunks) {
        signal.throwIfAborted();
        await writeWhole(file, chunk);
        written += chunk.length;
      }
      if (written !== size) throw new Error(`A segment of ${size} bytes came to ${written}.`);
      await file.sync();
    } finally {
      await file.close();
    }
    const isNew = await linkNew(temporary, segmentPath(root, key));
    // Also where the name was there: who gave it may have been killed before it was durable.
    for (const path of [folder, dirname(folder), root, dirname(root)]) await syncDirectoryLater(path);
    return isNew;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The system may take less at once, when the disk is nearly full. */
export async function writeWhole(file: FileHandle, chunk: Bytes): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

/** @returns `false` where the name is taken. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function get(
  root: string,
  key: string,
  offset: number,
  length: number,
): Promise<ReadableStream<Uint8Array> | undefined> {
  const file = await openExisting(segmentPath(root, key));
  if (file === undefined) return undefined;
  let position = offset;
  const end = offset + length;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const wanted = Math.min(READ_BYTES, end - position);
      const bytes = new Uint8Array(wanted);
      const bytesRead = wanted === 0 ? 0 : await readSome(file, bytes, position);
      position += bytesRead;
      if (bytesRead > 0) controller.enqueue(bytes.subarray(0, bytesRead));
      if (bytesRead > 0 && position < end) return;
      await file.close();
      controller.close();
      // Whoever waits with a buffer of his own gets nothing more.
      controller.byobRequest?.respond(0);
    },
    cancel: () => file.close(),
  });
}

async function openSegment(root: string, key: string, verified: VerifiedBlocks): Promise<SegmentFile | undefined> {
  const file = await openExisting(segmentPath(root, key));
  if (file === undefined) return undefined;
  return {
    read: async (target, offset) => (await file.read(target, 0, target.length, offset)).bytesRead,
    close: () => file.close(),
    isIntact: (block, offset) => verified.isIntact(key, offset, block),
  };
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  return open(path, "r").catch(ifThere);
}

/** Nobody closes the file of a stream that has failed. */
async function readSome(file: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  try {
    return (await file.read(bytes, 0, bytes.length, position)).bytesRead;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @param prefix of a whole incarnation: all of its segments are in one folder. */
async function list(root: string, prefix: string): Promise<readonly string[]> {
  const names = (await readdir(folderOf(root, prefix)).catch(ifThere)) ?? [];
  // An older server left what an interrupted upload had written here: it goes with the segments.
  return names.slice(0, LIST_MAX).map((name) => prefix + name);
}

/** The path of a segment's file below the root of a store. */
export function segmentPath(root: string, key: string): string {
  return join(folderOf(root, key), key.slice(key.lastIndexOf("/") + 1));
}

/** Streams' names may have characters that file systems do not, or differ in case only. */
function folderOf(root: string, key: string): string {
  const hash = createHash("sha256")
    .update(key.slice(0, key.lastIndexOf("/") + 1))
    .digest("hex");
  return join(root, hash.slice(0, 2), hash.slice(2, 34));
}

/** What is not there is `undefined`. */
function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
