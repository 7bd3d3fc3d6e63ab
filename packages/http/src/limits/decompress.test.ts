import { deflateSync, gzipSync } from "node:zlib";

import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";
import { describe, expect, it } from "vitest";

import { gunzip, inflate, MEMBERS_MAX, type Decoded } from "./decompress.ts";
import type { Held } from "./held-bytes.ts";

const LIMIT = 100_000;
/** As a member begins; a length of 0 stands before it, as if a member ended there. */
const DECOY = Uint8Array.of(0, 0, 0, 0, 0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3);

function bytes(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concatBytes(parts);
}

function textOf(decoded: Decoded): string {
  return decoded.ok ? new TextDecoder().decode(decoded.bytes) : decoded.reason;
}

/** Stored as they are, so that what they look like stays in the member. */
const stored = (content: Uint8Array): Uint8Array => gzipSync(content, { level: 0 });

describe("a gzip body is decoded whole", () => {
  it("with one member, or with several", async () => {
    const members = ["one,", "", "two,", "x".repeat(10_000)];
    expect(textOf(await gunzip(bytes(gzipSync("hello")), LIMIT))).toBe("hello");
    expect(textOf(await gunzip(bytes(...members.map((text) => gzipSync(text))), LIMIT))).toBe(members.join(""));
  });

  it("also where its content looks like a member", async () => {
    const inner = new Uint8Array(gzipSync("inner"));
    const content = concatBytes([new Uint8Array(30), DECOY, inner, DECOY, new Uint8Array(30)]);
    const decoded = await gunzip(bytes(stored(content), gzipSync("end")), LIMIT);
    expect(decoded).toEqual({ ok: true, bytes: concatBytes([content, new TextEncoder().encode("end")]) });
  });

  it("up to the limit, over all members", async () => {
    const half = gzipSync(new Uint8Array(LIMIT / 2));
    expect((await gunzip(bytes(half, half), LIMIT)).ok).toBe(true);
    expect(textOf(await gunzip(bytes(half, half, gzipSync("x")), LIMIT))).toBe("too-large");
    expect(textOf(await gunzip(bytes(gzipSync(new Uint8Array(100 * LIMIT))), LIMIT))).toBe("too-large");
    expect(textOf(await gunzip(bytes(gzipSync("x"), gzipSync(new Uint8Array(100 * LIMIT))), LIMIT))).toBe("too-large");
  });
});

it.each([
  ["gzip", (held: Held) => gunzip(new Uint8Array(gzipSync(Buffer.alloc(LIMIT))), LIMIT, held)],
  ["deflate", (held: Held) => inflate(new Uint8Array(deflateSync(Buffer.alloc(LIMIT))), LIMIT, held)],
])(
  "[AP9] what comes out of %s is counted while it comes, and ends where no more may be held",
  async (_format, decode) => {
    let taken = 0;
    const upTo = (bytesMax: number): Held => ({
      take: (more) => {
        if (taken + more > bytesMax) return false;
        taken += more;
        return true;
      },
      release: () => undefined,
    });
    expect((await decode(upTo(LIMIT))).ok).toBe(true);
    expect(taken).toBe(LIMIT);
    taken = 0;
    expect(textOf(await decode(upTo(LIMIT / 2)))).toBe("busy");
    expect(taken).toBeLessThanOrEqual(LIMIT / 2);
  },
);

describe("a gzip body is refused that", () => {
  it.each([
    ["is empty", new Uint8Array()],
    ["is none", new TextEncoder().encode("hello")],
    ["is cut short", gzipSync("hello".repeat(100)).subarray(0, -12)],
    ["has a last member that is cut short", bytes(gzipSync("one"), gzipSync("two").subarray(0, -1))],
    ["has something else behind its end", bytes(gzipSync("one"), Uint8Array.of(0))],
    ["has a wrong checksum", gzipSync("hello").map((byte, at, all) => (at === all.length - 8 ? byte ^ 1 : byte))],
    ["has more members than are taken", bytes(...Array.from({ length: MEMBERS_MAX + 1 }, () => gzipSync("x")))],
  ])("%s", async (_what, body) => {
    expect(textOf(await gunzip(bytes(body), LIMIT))).toBe("broken");
  });

  it("has so many false members in it that looking for the true ones would be the work that its sender wants done", async () => {
    const decoys = Array.from({ length: 2_000 }, () => DECOY);
    expect(textOf(await gunzip(bytes(stored(concatBytes(decoys)), gzipSync("x")), LIMIT))).toBe("broken");
  });
});

it("deflate is decoded up to the limit, and has no members", async () => {
  expect(textOf(await inflate(bytes(deflateSync("hello")), LIMIT))).toBe("hello");
  expect(textOf(await inflate(bytes(deflateSync(new Uint8Array(LIMIT + 1))), LIMIT))).toBe("too-large");
  expect(textOf(await inflate(bytes(deflateSync("one"), deflateSync("two")), LIMIT))).toBe("broken");
});
