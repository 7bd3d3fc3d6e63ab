import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { S3_CREDENTIALS, startS3Server, type S3Server } from "@durable-streams-cloudflare/testkit/s3-server";
import { afterEach, beforeEach, expect, it } from "vitest";

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
