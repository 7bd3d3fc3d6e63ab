import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { nextCursor } from "./cursor.ts";

const EPOCH_MS = Date.parse("2024-10-09T00:00:00Z");
const instant = fc.integer({ min: EPOCH_MS, max: EPOCH_MS + 1e12 });

describe("nextCursor", () => {
  it.each([
    ["2024-10-09T00:00:00.000Z", "0"],
    ["2024-10-09T00:00:19.999Z", "0"],
    ["2024-10-09T00:00:20.000Z", "1"],
    ["2024-10-10T00:00:00.000Z", "4320"],
    ["2020-01-01T00:00:00.000Z", "0"],
  ])("[CA9] counts 20-second intervals since 9 October 2024: %s is %s", (now, cursor) => {
    expect(nextCursor(Date.parse(now), null)).toBe(cursor);
  });

  it("[CA10] is strictly greater than a client's cursor that is not in the past", () => {
    fc.assert(
      fc.property(instant, fc.bigInt({ min: 0n, max: 10n ** 60n }), (nowMs, ahead) => {
        const claimed = BigInt(nextCursor(nowMs, null)) + ahead;
        expect(BigInt(nextCursor(nowMs, String(claimed)))).toBeGreaterThan(claimed);
      }),
    );
  });

  it("[CA10] is the current interval when the client's cursor is in the past", () => {
    expect(nextCursor(EPOCH_MS + 60_000, "2")).toBe("3");
    expect(nextCursor(EPOCH_MS + 60_000, "0")).toBe("3");
  });

  it("[CA10] never goes backwards for a client that echoes it, whatever the clock does", () => {
    fc.assert(
      fc.property(fc.array(instant, { minLength: 2 }), (clock) => {
        const [first = 0, ...later] = clock;
        let cursor = nextCursor(first, null);
        for (const nowMs of later) {
          const next = nextCursor(nowMs, cursor);
          expect(BigInt(next)).toBeGreaterThan(BigInt(cursor));
          cursor = next;
        }
      }),
    );
  });

  it("[CA12] is the same for all readers that have the same cursor in the same interval", () => {
    expect(nextCursor(EPOCH_MS + 20_000, "1")).toBe(nextCursor(EPOCH_MS + 39_999, "1"));
  });

  it.each(["", "abc", "-5", "1.5", "1e9", "0x10", " 7", "٣", "9".repeat(65), "9".repeat(10_000)])(
    "[CA11] ignores %.20j",
    (pendingDeletion) => {
      expect(nextCursor(EPOCH_MS + 20_000, pendingDeletion)).toBe("1");
    },
  );

  it("[CA9] is always a plain decimal number", () => {
    fc.assert(
      fc.property(instant, fc.oneof(fc.string(), fc.nat().map(String)), (nowMs, echoed) => {
        expect(nextCursor(nowMs, echoed)).toMatch(/^\d+$/);
      }),
    );
  });
});
