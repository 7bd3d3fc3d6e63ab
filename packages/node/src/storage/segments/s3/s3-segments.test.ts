/** A bucket that fails. The fake store verifies signatures with another implementation (`testkit/src/s3-server.ts`). */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import { S3_CREDENTIALS, startS3Server, type S3Server } from "@durable-streams-cloudflare/testkit/s3-server";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";

import { S3Client } from "./s3-client.ts";
import { s3Key } from "./s3-keys.ts";
import { checkedS3, type S3Options } from "./s3-options.ts";
import { s3Segments } from "./s3-segments.ts";

const KEY = "v1/stream//0001/0000-0005";

let root: string;
let s3: S3Server;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "s3-segments-"));
  s3 = await startS3Server();
});
afterEach(async () => {
  await s3.close();
  rmSync(root, { recursive: true });
});

function segments(more: Partial<S3Options> = {}): SegmentStore {
  const { url: endpoint, bucket, region } = s3;
  return s3Segments(new S3Client(checkedS3({ ...S3_CREDENTIALS, endpoint, bucket, region, ...more })), root);
}

async function* hello(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield new TextEncoder().encode("hello");
}

const put = (store: SegmentStore, signal = new AbortController().signal): Promise<boolean> =>
  store.put(KEY, 5, hello(), signal);

it("what fails in passing is sent again, whole", async () => {
  for (const fault of ["down", "down"] as const) s3.failNext("PUT", fault);
  expect(await put(segments())).toBe(true);
  expect([s3.answers, s3.objects.get(s3Key("", KEY))?.toString()]).toEqual([
    ["PUT 503", "PUT 503", "PUT 200"],
    "hello",
  ]);
  for (const method of ["GET", "POST"]) s3.failNext(method, "lost");
  expect(await segments().list("v1/stream//")).toEqual([KEY]);
  await segments().delete([KEY]);
  expect(s3.objects.size).toBe(0);
});

it("an upload whose answer is lost finds its own object, which the caller compares", async () => {
  s3.failNext("PUT", "lost");
  expect(await put(segments())).toBe(false);
  expect(s3.objects.get(s3Key("", KEY))?.toString()).toBe("hello");
});

it("a store that stays away is given up after a few tries, and nothing is left behind", async () => {
  s3.isDown = true;
  await expect(put(segments())).rejects.toMatchObject({
    failure: "unavailable",
    message: expect.stringContaining("503"),
  });
  expect([s3.answers.length, readdirSync(join(root, "parts"))]).toEqual([4, []]);
});

/** Paths of files below the root that this process has open. */
function openFiles(): readonly string[] {
  const folder = "/proc/self/fd";
  const paths = readdirSync(folder).map((fd) => (existsSync(join(folder, fd)) ? readlinkSync(join(folder, fd)) : ""));
  return paths.filter((path) => path.startsWith(root));
}

it.runIf(existsSync("/proc/self/fd"))("no upload leaves its file open, whatever becomes of it", async () => {
  // More than is read ahead.
  const bytes = new Uint8Array(1_000_000);
  const large = (more: Partial<S3Options> = {}): Promise<boolean> => {
    const chunks = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield bytes;
    };
    return segments(more).put(KEY, bytes.length, chunks(), new AbortController().signal);
  };
  expect([await large(), await large()]).toEqual([true, false]);
  await expect(large({ endpoint: "http://127.0.0.1:1" })).rejects.toThrow("cannot be reached");
  await expect(large({ endpoint: "http://s3.invalid" })).rejects.toThrow("cannot be reached");
  s3.failNext("PUT", "lost");
  await large();
  await expect(large({ secretAccessKey: "wrong" })).rejects.toThrow("403");
  expect(openFiles()).toEqual([]);
});

it("an upload that is aborted ends at once, also while the store does not answer", async () => {
  s3.failNext("PUT", "hung");
  const ended = new AbortController();
  s3.onRequest = () => ended.abort(new Error("given up"));
  await expect(put(segments(), ended.signal)).rejects.toThrow("given up");
  expect(readdirSync(join(root, "parts"))).toEqual([]);
});

it("a request that is not answered in time fails as one that cannot be sent", async () => {
  s3.failNext("GET", "hung");
  const { url: endpoint, bucket, region } = s3;
  const client = new S3Client(checkedS3({ ...S3_CREDENTIALS, endpoint, bucket, region }));
  const asked = client.send({ method: "GET", key: "x", limits: { tries: 1, timeoutMs: 20 } });
  await expect(asked).rejects.toMatchObject({ failure: "unavailable", message: expect.stringContaining("20 ms") });
});

it("a body that ends early is an error, and never a shorter segment", async () => {
  await put(segments());
  s3.failNext("GET", "cut");
  const stream = await segments().get(KEY, 0, 5);
  await expect(new Response(stream).text()).rejects.toThrow("terminated");
});

it.each([
  [{ secretAccessKey: "wrong" }, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"],
  [{ accessKeyId: "wrong" }, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"],
  [{ bucket: "other" }, "NoSuchBucket", "storage.s3_bucket"],
  [{ region: "us-east-1" }, "PermanentRedirect", "storage.s3_region to eu-test-1"],
])("with %j the error names the setting, and nothing is tried again", async (more, code, fix) => {
  const wrong = segments(more);
  const calls = [() => put(wrong), () => wrong.get(KEY, 0, 1), () => wrong.list("v1/s//"), () => wrong.delete([KEY])];
  for (const call of calls) {
    await expect(call()).rejects.toMatchObject({ failure: "refused", code, fix: expect.stringContaining(fix) });
  }
  expect(s3.answers).toHaveLength(calls.length);
});

it("a store that cannot be reached is told from one that refuses", async () => {
  const away = segments({ endpoint: "http://127.0.0.1:1" });
  await expect(away.get(KEY, 0, 1)).rejects.toMatchObject({
    failure: "unavailable",
    fix: expect.stringContaining("storage.s3_endpoint"),
  });
});

describe("credentials in a file", () => {
  const path = (): string => join(root, "credentials");
  const write = (token: string, more = ""): void => {
    const { accessKeyId, secretAccessKey } = S3_CREDENTIALS;
    const keys = `aws_access_key_id = ${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`;
    const other = "[other]\naws_session_token = of-other\naws_access_key_id = other\n";
    mkdirSync(root, { recursive: true });
    writeFileSync(path(), `# renewed by a program\n${other}[default]\n${keys}aws_session_token = ${token}\n${more}`);
  };
  const ofFile = (): SegmentStore =>
    segments({ accessKeyId: undefined, secretAccessKey: undefined, credentialsFile: path() });

  it("are read again when the store says that they have expired, and the request is sent once more", async () => {
    write("first");
    const store = ofFile();
    expect(await put(store)).toBe(true);
    s3.expired.add("first");
    write("second");
    expect(await put(store)).toBe(false);
    expect(s3.answers).toEqual(["PUT 200", "PUT 400", "PUT 412"]);
  });

  it("that were not renewed are refused with what to do, and counted once", async () => {
    write("first");
    const store = ofFile();
    s3.expired.add("first");
    await expect(put(store)).rejects.toMatchObject({
      code: "ExpiredToken",
      fix: expect.stringContaining("storage.s3_credentials_file"),
    });
    expect(s3.answers).toEqual(["PUT 400"]);
  });

  it("are read again when the file has changed, and stay in use while it is half written", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    write("first");
    const { credentials } = checkedS3({ bucket: "cold", credentialsFile: path() });
    expect(credentials.current().sessionToken).toBe("first");
    vi.advanceTimersByTime(2_000);
    writeFileSync(path(), "[default]\naws_access_key_id = half");
    expect(credentials.current().sessionToken).toBe("first");
    vi.advanceTimersByTime(2_000);
    write("second", "region = x\n");
    expect(credentials.current().sessionToken).toBe("second");
  });

  it.each([
    ["missing", () => undefined, "ENOENT"],
    ["without a secret", () => writeFileSync(path(), "[default]\naws_access_key_id = a\n"), "aws_secret_access_key"],
    ["without the section", () => writeFileSync(path(), "aws_access_key_id = a\n"), "aws_access_key_id"],
  ])("in a file that is %s are refused at the start, with what to write into it", (_, make, message) => {
    mkdirSync(root, { recursive: true });
    make();
    expect(() => ofFile()).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(message),
        fix: expect.stringContaining("storage.s3_credentials_file"),
      }),
    );
  });
});

it.each([
  [{ bucket: "" }, "bucket"],
  [{ bucket: "a/b" }, "bucket"],
  [{ endpoint: "minio:9000" }, "endpoint"],
  [{ endpoint: "https://minio/path" }, "endpoint"],
  [{ endpoint: "https://user:pass@minio" }, "endpoint"],
  [{ prefix: "../x" }, "prefix"],
  [{ prefix: "a//b" }, "prefix"],
  [{ region: "a b" }, "region"],
  [{ accessKeyId: "" }, "access key id"],
  [{ secretAccessKey: "" }, "secret access key"],
])("the option %j is refused", (more, what) => {
  expect(() => segments(more)).toThrow(`The ${what} of the S3 store of cold segments is missing or invalid.`);
});

it("the bucket is in the path of its URL, or in its host name", () => {
  const common = { ...S3_CREDENTIALS, bucket: "cold" };
  expect([
    checkedS3(common).bucketUrl,
    checkedS3({ ...common, region: "eu-west-1", forcePathStyle: false }).bucketUrl,
    checkedS3({ ...common, endpoint: "http://[::1]:9000/" }).bucketUrl,
  ]).toEqual([
    "https://s3.us-east-1.amazonaws.com/cold/",
    "https://cold.s3.eu-west-1.amazonaws.com/",
    "http://[::1]:9000/cold/",
  ]);
});
