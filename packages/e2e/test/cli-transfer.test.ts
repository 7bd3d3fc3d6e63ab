/** Copies of streams in files: complete, resumed where they were interrupted, and imported once however often it is tried. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorOf, runCaptured, type Ran, type RunOptions } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { afterAll, describe, expect, it } from "vitest";

import { useServer } from "../src/test-server.ts";

const json = <Json = Record<string, unknown>>({ stdout }: Ran): Json => JSON.parse(stdout) as Json;

const workDir = mkdtempSync(join(tmpdir(), "transfer-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

// So small that what is exported here takes several answers.
const server = useServer({ READ_BYTES_MAX: 65_536 });
const cli = (argv: readonly string[], options: RunOptions = {}) =>
  runCaptured([...argv, "--json"], { cwd: workDir, ...options, env: { DURABLE_STREAMS_URL: server.url } });
const read = async (name: string) => (await runCaptured(["stream", "read", name, "--url", server.url])).stdout;

const MESSAGES = Array.from({ length: 3_000 }, (_, n) => `{"n":${n}.0,"text":"${"é".repeat(20)}"}`);

describe("an export", () => {
  it("of JSON is imported as it was, closed and with its lifetime, and again changes nothing", async () => {
    await cli(["stream", "create", "source", "--ttl", "2h"]);
    await cli(["stream", "append", "source", "--lines", "--close"], {
      stdin: [...MESSAGES, ...MESSAGES, ...MESSAGES, ...MESSAGES].join("\n"),
    });
    const exported = json(await cli(["stream", "export", "source", "--output", "json.ndjson"]));
    expect(exported).toMatchObject({ stream: "source", closed: true });
    const first = json<{ appended: number }>(await cli(["stream", "import", "copy", "--file", "json.ndjson"]));
    expect(first).toMatchObject({ skipped: 0, closed: true });
    expect(first.appended).toBeGreaterThan(1);
    expect(await read("copy")).toBe(await read("source"));
    expect(json(await cli(["stream", "head", "copy"]))).toMatchObject({ ttlSeconds: 7_200, closed: true });
    const again = json(await cli(["stream", "import", "copy", "--file", "json.ndjson"]));
    expect(again).toMatchObject({ appended: 0, skipped: first.appended });
    expect(await read("copy")).toBe(await read("source"));
    await cli(["stream", "create", "other", "--stdin", "--closed", "--ttl", "2h"], { stdin: "1" });
    await cli(["stream", "export", "other", "--output", "other.ndjson"]);
    const refused = await cli(["stream", "import", "copy", "--file", "other.ndjson"]);
    expect(errorOf(refused)).toMatchObject({ code: "stream-closed", exitCode: 1 });
  });

  it("of bytes that are no text is imported byte for byte", async () => {
    const bytes = Uint8Array.from({ length: 200_000 }, (_, n) => (n * 7 + (n >> 8)) % 256);
    await cli(["stream", "create", "image", "--content-type", "image/png", "--stdin"], { stdin: bytes });
    await cli(["stream", "export", "image", "--output", "image.ndjson"]);
    await cli(["stream", "import", "image-copy", "--file", "image.ndjson"]);
    await cli(["stream", "export", "image-copy", "--output", "image-copy.ndjson"]);
    expect(bytesOf("image-copy.ndjson")).toEqual(Buffer.from(bytes));
  });

  it("that was interrupted anywhere resumes, and one that is repeated adds what is new", async () => {
    await cli(["stream", "create", "growing"]);
    await cli(["stream", "append", "growing", "--lines"], { stdin: MESSAGES.join("\n") });
    const path = join(workDir, "growing.ndjson");
    await cli(["stream", "export", "growing", "--output", path]);
    const whole = readFileSync(path);
    for (const length of [whole.length - 3, Math.floor(whole.length / 2), whole.indexOf("\n") + 1]) {
      truncateSync(path, length);
      expect((await cli(["stream", "export", "growing", "--output", path])).exitCode).toBe(0);
      expect(messagesOf(path)).toEqual(messagesIn(whole.toString()));
    }
    await cli(["stream", "import", "grown", "--file", path]);
    await cli(["stream", "append", "growing", "--data", '"new"']);
    await cli(["stream", "export", "growing", "--output", path]);
    expect(messagesOf(path)).toEqual([...messagesIn(whole.toString()), '"new"']);
    expect(json(await cli(["stream", "import", "grown", "--file", path]))).toMatchObject({ appended: 1 });
    expect(await read("grown")).toBe(await read("growing"));
  });

  it("is never written over that of another stream, or over another file", async () => {
    for (const name of ["a", "b"]) await cli(["stream", "create", name]);
    await cli(["stream", "export", "a", "--output", "a.ndjson"]);
    const other = await cli(["stream", "export", "b", "--output", "a.ndjson"]);
    expect(errorOf(other)).toMatchObject({ code: "usage", message: expect.stringContaining("/v1/stream/a") });
    writeFileSync(join(workDir, "mine.txt"), "mine\n");
    expect(errorOf(await cli(["stream", "export", "a", "--output", "mine.txt"])).code).toBe("export-unreadable");
    expect(readFileSync(join(workDir, "mine.txt"), "utf8")).toBe("mine\n");
    expect(errorOf(await cli(["stream", "import", "c", "--file", "mine.txt"])).code).toBe("export-unreadable");
    expect((await cli(["stream", "head", "c"])).exitCode).toBe(3);
  });
});

function messagesOf(path: string): string[] {
  return messagesIn(readFileSync(path, "utf8"));
}

function messagesIn(text: string): string[] {
  const lines = text.split("\n").filter((line) => line.startsWith('{"data":'));
  return lines.map((line) => line.slice('{"data":'.length, -1));
}

function bytesOf(name: string): Buffer {
  return Buffer.concat(
    messagesOf(join(workDir, name)).map((data) => Buffer.from(JSON.parse(data) as string, "base64")),
  );
}
