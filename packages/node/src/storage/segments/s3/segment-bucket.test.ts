import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { S3_CREDENTIALS, startS3Server, type S3Server } from "@durable-streams-cloudflare/testkit/s3-server";
import { afterEach, beforeEach, expect, it } from "vitest";

import type { StorageError } from "../../storage-error.ts";
import { checkedS3, type S3Options } from "./s3-options.ts";
import { refuseBucketOf, SegmentBucket } from "./segment-bucket.ts";

let dataDir: string;
let s3: S3Server;
let reports: string[];
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "segment-bucket-"));
  s3 = await startS3Server();
  reports = [];
});
afterEach(async () => {
  await s3.close();
  rmSync(dataDir, { recursive: true });
});

function bucketOf(directory = dataDir, more: Partial<S3Options> = {}): SegmentBucket {
  const { url: endpoint, bucket, region } = s3;
  const settings = checkedS3({ ...S3_CREDENTIALS, endpoint, bucket, region, ...more });
  return new SegmentBucket(settings, directory, (message) => void reports.push(message));
}

it("a bucket that was claimed belongs to its directory from then on", async () => {
  await bucketOf().claim();
  await bucketOf().claim();
  expect(JSON.parse(readFileSync(join(dataDir, "segment-store.json"), "utf8"))).toMatchObject({ isUsed: true });
  expect(() => refuseBucketOf(dataDir)).toThrow("are in http://127.0.0.1");
  const other = mkdtempSync(join(dataDir, "other-"));
  await expect(bucketOf(other).claim()).rejects.toThrow("has the cold segments of another data directory.");
  await bucketOf(other, { prefix: "own" }).claim();
});

/** @returns the owner that the error names. */
async function refusedCopy(bucket: SegmentBucket): Promise<string> {
  const error = await bucket.claim().then(
    () => expect.unreachable(),
    (reason: unknown) => reason as StorageError,
  );
  expect([error.name, error.message]).toEqual(["StorageError", expect.stringContaining("another copy of this data")]);
  return /storage\.s3_take_over_from = "(\w+)"/.exec(error.fix)?.[1] ?? "";
}

async function* hello(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield new TextEncoder().encode("hello");
}

it("a copy of a directory is refused, until it takes the bucket over; then the first one changes nothing any more", async () => {
  const first = bucketOf();
  await first.claim();
  const { signal } = new AbortController();
  await first.segments.put("v1/a//0-5", 5, hello(), signal);
  const copied = mkdtempSync(join(tmpdir(), "segment-bucket-copy-"));
  cpSync(dataDir, copied, { recursive: true });
  const owner = await refusedCopy(bucketOf(copied));
  await refusedCopy(bucketOf(copied, { takeOverFrom: "0".repeat(16) }));
  expect(await first.fault()).toBeUndefined();

  const copy = bucketOf(copied, { takeOverFrom: owner });
  await copy.claim();
  await expect(first.segments.delete(["v1/a//0-5"])).rejects.toThrow("belongs to another copy");
  await expect(first.segments.put("v1/b//0-5", 5, hello(), signal)).rejects.toThrow("belongs to another copy");
  expect(await bucketOf().fault()).toMatchObject({ detail: expect.stringContaining("belongs to another copy") });
  expect(await copy.segments.list("v1/a//")).toEqual(["v1/a//0-5"]);
  // The option may stay where it is: it says nothing of the bucket's new owner.
  expect(await refusedCopy(bucketOf(dataDir, { takeOverFrom: owner }))).not.toBe(owner);
  await bucketOf(copied, { takeOverFrom: owner }).claim();
  await copy.segments.delete(["v1/a//0-5"]);
  expect([...s3.objects.keys()]).toEqual(["durable-streams.json"]);
  rmSync(copied, { recursive: true });
});

it("a directory that was moved within its file system keeps its bucket", async () => {
  await bucketOf().claim();
  const moved = `${dataDir}-moved`;
  renameSync(dataDir, moved);
  await expect(bucketOf(moved).claim()).resolves.toBeUndefined();
  renameSync(moved, dataDir);
});

it("a copy that starts while the store is away changes nothing when it is back", async () => {
  await bucketOf().claim();
  const copied = join(dataDir, "copy");
  mkdirSync(copied);
  for (const name of ["segment-store.json", "directory-identity"]) cpSync(join(dataDir, name), join(copied, name));
  s3.isDown = true;
  const copy = bucketOf(copied);
  await copy.claim();
  s3.isDown = false;
  await expect(copy.segments.delete(["v1/a//0-5"])).rejects.toThrow("belongs to another copy");
});

it("a bucket of an older server, which names no owner, belongs to the directory that starts next", async () => {
  await bucketOf().claim();
  const { id } = JSON.parse(s3.objects.get("durable-streams.json")?.toString() ?? "") as { id: string };
  s3.objects.set("durable-streams.json", Buffer.from(JSON.stringify({ id })));
  expect(await bucketOf().fault()).toBeUndefined();
  await bucketOf().claim();
  expect(s3.objects.get("durable-streams.json")?.toString()).toMatch(/"owner":"\w{16}"/);
});

it("another bucket or prefix than the one that has the segments is refused, and stays as it is", async () => {
  await bucketOf().claim();
  const before = s3.objects.size;
  await expect(bucketOf(dataDir, { prefix: "other" }).claim()).rejects.toMatchObject({
    message: expect.stringContaining("The cold segments of this data directory are not in"),
    fix: expect.stringContaining("storage.s3_prefix"),
  });
  expect(s3.objects.size).toBe(before);
});

it("a start that was killed between the bucket and the directory is completed by the next one", async () => {
  await bucketOf().claim();
  const path = join(dataDir, "segment-store.json");
  writeFileSync(path, readFileSync(path, "utf8").replace("true", "false"));
  await bucketOf().claim();
  expect(readFileSync(path, "utf8")).toContain('"isUsed":true');
});

it("a bucket that could never be used binds nobody to it", async () => {
  await expect(bucketOf(dataDir, { secretAccessKey: "wrong" }).claim()).rejects.toMatchObject({
    name: "StorageError",
    message: expect.stringMatching(/403 \(SignatureDoesNotMatch\)\. It is http:.*\/cold\/\./),
    fix: expect.stringContaining("AWS_SECRET_ACCESS_KEY"),
  });
  expect(() => refuseBucketOf(dataDir)).not.toThrow();
  await bucketOf().claim();
});

it("a store that is away is refused at the first start, and reported at the later ones", async () => {
  s3.isDown = true;
  await expect(bucketOf().claim()).rejects.toThrow("answered 503");
  s3.isDown = false;
  await bucketOf().claim();
  s3.isDown = true;
  await bucketOf().claim();
  expect(reports).toEqual([expect.stringContaining("reads of cold segments are answered with 503")]);
});

it("segments in the folder of a directory are not left behind", () => {
  mkdirSync(join(dataDir, "segments", "parts"), { recursive: true });
  mkdirSync(join(dataDir, "segments", "00", "ab"), { recursive: true });
  writeFileSync(join(dataDir, "segments", "parts", "a.part"), "");
  expect(() => bucketOf()).not.toThrow();
  writeFileSync(join(dataDir, "segments", "00", "ab", "0-5"), "hello");
  expect(() => bucketOf()).toThrow("are in its folder segments, but storage.segments is s3.");
});

it("a record that cannot be read is refused, and not replaced", () => {
  const path = join(dataDir, "segment-store.json");
  writeFileSync(path, "{");
  expect(() => bucketOf()).toThrow("is damaged");
  expect(() => refuseBucketOf(dataDir)).toThrow("is damaged");
  expect([existsSync(path), readFileSync(path, "utf8")]).toEqual([true, "{"]);
});

it("a probe says what is wrong, and asks the bucket once in ten seconds", async () => {
  const bucket = bucketOf();
  await bucket.claim();
  s3.isDown = true;
  const asked = s3.answers.length;
  expect([await bucket.fault(), await bucket.fault(), s3.answers.length - asked]).toEqual([
    { isFull: false, detail: "The S3 store of cold segments answered 503 (ServiceUnavailable)." },
    { isFull: false, detail: "The S3 store of cold segments answered 503 (ServiceUnavailable)." },
    1,
  ]);
  s3.isDown = false;
  const next = bucketOf();
  expect(await next.fault()).toBeUndefined();
  s3.objects.clear();
  expect(await bucketOf().fault()).toMatchObject({ detail: expect.stringContaining("not the one of this") });
});
