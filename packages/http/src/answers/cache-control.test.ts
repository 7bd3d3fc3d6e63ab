import { describe, expect, it } from "vitest";

import { readCacheControl, type CachedRead } from "./cache-control.ts";

const SOURCE = { name: "p/source", incarnation: 5, to: 10 };

/** Of a public stream of 100 bytes with incarnation 7, from an offset of its own up to its tail. */
const READ: CachedRead = {
  isPublic: true,
  offset: { kind: "at", incarnation: 7, position: 20 },
  lineage: { incarnation: 7, ancestors: [SOURCE] },
  from: 20,
  to: 100,
  tail: 100,
};

describe("Cache-Control of a read", () => {
  it.each<[string, Partial<CachedRead>, string]>([
    [
      "ends before the tail: it never changes, but the stream may be deleted",
      { to: 90 },
      "public, max-age=3600, immutable",
    ],
    ["reaches the tail: right for a while", {}, "public, max-age=60, stale-while-revalidate=300, stale-if-error=0"],
    ["has nothing: what came since must not be hidden", { from: 100 }, "public, no-cache, stale-if-error=0"],
    [
      "comes from -1: the URL may come to mean another stream",
      { offset: { kind: "start" }, from: 0 },
      "public, no-cache, stale-if-error=0",
    ],
    [
      "comes from -1 and is cut: the same",
      { offset: { kind: "start" }, from: 0, to: 90 },
      "public, no-cache, stale-if-error=0",
    ],
    [
      "comes from a source's offset: it may come to mean another fork",
      at(5, { from: 5, to: 90 }),
      "public, no-cache, stale-if-error=0",
    ],
    ["names no offset: the URL is that of HEAD", { offset: undefined, from: 0 }, "no-store"],
    ["comes from now: a different place each time", { offset: { kind: "now" }, from: 100 }, "no-store"],
    ["is not for everybody", { isPublic: false }, "private, max-age=60, stale-while-revalidate=300, stale-if-error=0"],
    ["is not for everybody and fixed", { isPublic: false, to: 90 }, "private, max-age=3600, immutable"],
    [
      "may soon not be for everybody",
      { isRevocable: true, to: 90 },
      "public, max-age=60, stale-while-revalidate=300, stale-if-error=0",
    ],
  ])("[CA1] [CA2] [CA3] [CA13] that %s", (_, change, expected) => {
    expect(readCacheControl({ ...READ, ...change })).toBe(expected);
  });
});

function at(incarnation: number, change: Partial<CachedRead>): Partial<CachedRead> {
  return { ...change, offset: { kind: "at", incarnation, position: change.from ?? 0 } };
}
