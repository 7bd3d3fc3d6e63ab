/**
 * What core relies on, of each store of this host. The bucket is in a fake that speaks S3 over HTTP in this process, and that
 * verifies signatures with Smithy's implementation (`testkit/src/s3-server.ts`).
 */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import { S3_CREDENTIALS, startS3Server, type S3Server } from "@durable-streams-cloudflare/testkit/s3-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { folderSegments } from "./folder-segments.ts";
import { MemorySegments } from "./memory-segments.ts";
import { S3Client } from "./s3/s3-client.ts";
import { checkedS3 } from "./s3/s3-options.ts";
import { s3Segments } from "./s3/s3-segments.ts";

const KEY = "v1/stream//0001/0000-0005";
const PREFIX = "v1/stream//0001/";

let root: string;
let s3: S3Server;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "segments-"));
  s3 = await startS3Server();
});
afterEach(async () => {
  await s3.close();
  rmSync(root, { recursive: true });
});

const inBucket = (more: { readonly prefix?: string; readonly sessionToken?: string }): SegmentStore => {
  const { url: endpoint, bucket, region } = s3;
  return s3Segments(new S3Client(checkedS3({ ...S3_CREDENTIALS, endpoint, bucket, region, ...more })), root);
};

const STORES: Readonly<Record<string, () => SegmentStore>> = {
  folder: () => folderSegments(root),
  memory: () => new MemorySegments(),
  "S3 bucket": () => inBucket({}),
  "S3 bucket with a prefix and temporary credentials": () => inBucket({ prefix: "a/b", sessionToken: "token/+=" }),
};

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

const { signal } = new AbortController();

async function textOf(store: SegmentStore, key: string, offset: number, length: number): Promise<string | undefined> {
  const stream = await store.get(key, offset, length);
  return stream === undefined ? undefined : new Response(stream).text();
}

describe.each(Object.entries(STORES))("a store of segments in a %s", (_, open) => {
  it("gives back any part of what was put", async () => {
    const store = open();
    expect(await store.put(KEY, 5, chunks("he", "llo"), signal)).toBe(true);
    expect([await textOf(store, KEY, 0, 5), await textOf(store, KEY, 1, 3), await textOf(store, KEY, 4, 1)]).toEqual([
      "hello",
      "ell",
      "o",
    ]);
    expect(await store.get("v1/stream//0001/0005-0009", 0, 5)).toBeUndefined();
  });

  it("fills the reader's own buffer, to the end", async () => {
    const store = open();
    await store.put(KEY, 5, chunks("hello"), signal);
    const reader = (await store.get(KEY, 1, 4))?.getReader({ mode: "byob" });
    const { value } = (await reader?.read(new Uint8Array(4), { min: 4 })) ?? {};
    expect(new TextDecoder().decode(value)).toBe("ello");
    await reader?.cancel();
  });

  it("keeps what a name stands for", async () => {
    const store = open();
    await store.put(KEY, 5, chunks("hello"), signal);
    expect(await store.put(KEY, 5, chunks("other"), signal)).toBe(false);
    expect(await textOf(store, KEY, 0, 5)).toBe("hello");
  });

  it("has nothing of an upload that breaks off, is too short or too long, or is aborted", async () => {
    const store = open();
    const broken = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield* chunks("he");
      throw new Error("torn");
    };
    await expect(store.put(KEY, 5, broken(), signal)).rejects.toThrow("torn");
    await expect(store.put(KEY, 5, chunks("he"), signal)).rejects.toThrow("A segment of 5 bytes came to 2.");
    await expect(store.put(KEY, 5, chunks("hello", "!"), signal)).rejects.toThrow("A segment of 5 bytes came to 6.");
    const aborted = AbortSignal.abort(new Error("late"));
    await expect(store.put(KEY, 5, chunks("hello"), aborted)).rejects.toThrow("late");
    expect([await textOf(store, KEY, 0, 5), await store.list(PREFIX)]).toEqual([undefined, []]);
    const left = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(left).toEqual([]);
  });

  it("lists and deletes what begins with a prefix, and nothing else; a deletion is idempotent", async () => {
    const store = open();
    const others = ["v1/stream//0002/0000-0005", "v1/stream/x//0001/0000-0005", "v1/strea//0001/0000-0005"];
    const all = [KEY, "v1/stream//0001/0005-0010", ...others];
    for (const key of all) await store.put(key, 5, chunks("hello"), signal);
    const keys = await store.list(PREFIX);
    expect(keys.toSorted()).toEqual(all.slice(0, 2));
    await store.delete([...keys, "v1/stream//0001/0010-0015"]);
    await store.delete(keys);
    await store.delete([]);
    expect(await store.list(PREFIX)).toEqual([]);
    for (const key of others) expect(await textOf(store, key, 0, 5)).toBe("hello");
  });

  it.each([
    ".",
    "..",
    "a/../b",
    "a b+c%20",
    "über/ß",
    "A",
    "a",
    "x=2Fy",
    "x/y",
    "!'()*~&<>\"?#;:@$,",
    "字".repeat(130),
    `${"字".repeat(129)}b`,
  ])("keeps apart and finds the segments of a stream called %s", async (name) => {
    const store = open();
    const prefix = `v1/${name}//0001/`;
    const other = `v1/${name}x//0001/0000-0005`;
    await store.put(other, 5, chunks("other"), signal);
    await store.put(`${prefix}0000-0005`, 5, chunks("hello"), signal);
    expect([await store.list(prefix), await textOf(store, `${prefix}0000-0005`, 0, 5)]).toEqual([
      [`${prefix}0000-0005`],
      "hello",
    ]);
    await store.delete(await store.list(prefix));
    expect([await store.list(prefix), await textOf(store, other, 0, 5)]).toEqual([[], "other"]);
  });
});
