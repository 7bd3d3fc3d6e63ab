import { offsetAt, parseOffset, rangeEtag } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { describe, expect, it } from "vitest";

import { codeOf, createOf, newHost, START_MS, streamOn } from "../../../test/stream-fixture.ts";
import { mintIncarnation } from "./incarnation.ts";

describe("a stream that is deleted and made again", () => {
  it.each([0, -1, -500])("[OF2] has another incarnation, even if the clock went %i ms over an eviction", async (ms) => {
    const host = newHost();
    const first = await streamOn(host).create(createOf({ bytes: utf8("12345") }));
    await streamOn(host).remove();
    host.nowMs += ms;
    const stream = streamOn(host);
    const second = await stream.create(createOf({ bytes: utf8("54321") }));
    if (!first.ok || !second.ok) throw new Error("It was not created.");
    const from = parseOffset(offsetAt(first.lineage, first.tail)) ?? { kind: "now" };
    expect(codeOf(stream.read({ from, ifNoneMatch: null, paging: "bytes" }))).toBe("offset-gone");
    const ifNoneMatch = rangeEtag(first.lineage.incarnation, 0, 5, false);
    expect(stream.read({ from: { kind: "start" }, ifNoneMatch, paging: "bytes" })).toMatchObject({
      notModified: false,
    });
  });
});

describe("an incarnation", () => {
  const LARGEST = 1 - 2 ** -53;

  it("is the second and six random digits", () => {
    expect(mintIncarnation(1_800_000_000_999, 0, 0)).toBe(1_800_000_000_000_000);
    expect(mintIncarnation(1_800_000_000_999, LARGEST, 0)).toBe(1_800_000_000_999_999);
  });

  it.each([0, 0.5, LARGEST])(
    "[OF2] is greater than the one before it, whatever the clock and chance (%d) say",
    (random) => {
      const floor = mintIncarnation(START_MS, LARGEST, 0);
      for (const now of [START_MS, START_MS - 60_000, 0]) {
        expect(mintIncarnation(now, random, floor)).toBeGreaterThan(floor);
        expect(mintIncarnation(now, random, floor)).toBeLessThanOrEqual(floor + 1_000_000);
      }
    },
  );

  it("of the siblings of one second differs, though all must be greater than their source's", () => {
    const source = mintIncarnation(START_MS, 0.9, 0);
    const siblings = [0.1, 0.2, 0.3].map((random) => mintIncarnation(START_MS, random, source));
    expect(new Set(siblings).size).toBe(siblings.length);
  });

  it("has at most sixteen digits and is exact until the year 2255", () => {
    const last = mintIncarnation(Date.UTC(2255, 0, 1), LARGEST, 0);
    expect([Number.isSafeInteger(last), String(last).length]).toEqual([true, 16]);
  });
});
