import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { deadlineMs, FOREVER, parseLifetime, sameLifetime, TTL_SECONDS_MAX, type Lifetime } from "./lifetime.ts";

function parse(headers: Record<string, string>) {
  return parseLifetime((name) => headers[name] ?? null);
}

function expiresAt(text: string): number | undefined {
  const parsed = parse({ "Stream-Expires-At": text });
  return parsed.ok && parsed.lifetime.kind === "at" ? parsed.lifetime.expiresAtMs : undefined;
}

describe("Stream-TTL", () => {
  it.each([
    ["0", 0],
    ["1", 1],
    ["3600", 3600],
    [String(TTL_SECONDS_MAX), TTL_SECONDS_MAX],
  ])("[LT1] %s is a window of as many seconds", (text, ttlSeconds) => {
    expect(parse({ "Stream-TTL": text })).toEqual({ ok: true, lifetime: { kind: "ttl", ttlSeconds } });
  });

  it.each([
    "",
    " 1",
    "1 ",
    "-1",
    "+3600",
    "03600",
    "00",
    "3600.0",
    "3.6e3",
    "0x10",
    "1_000",
    "Infinity",
    "abc",
    "٣",
    String(TTL_SECONDS_MAX + 1),
    "9".repeat(400),
  ])("[LT1] %j is refused", (text) => {
    expect(parse({ "Stream-TTL": text })).toMatchObject({ ok: false, detail: expect.stringContaining("Stream-TTL") });
  });
});

describe("Stream-Expires-At", () => {
  it.each([
    ["2031-01-31T12:00:00Z", "2031-01-31T12:00:00.000Z"],
    ["2031-01-31t12:00:00z", "2031-01-31T12:00:00.000Z"],
    ["2031-01-31T13:00:00+01:00", "2031-01-31T12:00:00.000Z"],
    ["2031-01-31T06:30:00-05:30", "2031-01-31T12:00:00.000Z"],
    ["2031-01-31T12:00:00-00:00", "2031-01-31T12:00:00.000Z"],
    ["2031-01-31T12:00:00.5Z", "2031-01-31T12:00:00.500Z"],
    ["2031-01-31T12:00:00.123456789Z", "2031-01-31T12:00:00.123Z"],
    ["2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
    ["2031-12-31T23:59:59Z", "2031-12-31T23:59:59.000Z"],
    ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
  ])("[LT2] %s is the instant %s", (text, instant) => {
    expect(expiresAt(text)).toBe(Date.parse(instant));
  });

  it("[LT2] accepts any instant with any time zone", () => {
    const date = fc.date({
      min: new Date("1970-01-02T00:00:00Z"),
      max: new Date("9998-12-31T00:00:00Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(date, fc.integer({ min: -1439, max: 1439 }), (instant, minutes) => {
        const local = new Date(instant.getTime() + minutes * 60_000).toISOString().slice(0, -1);
        const size = Math.abs(minutes);
        const offset = `${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
        expect(expiresAt(`${local}${minutes < 0 ? "-" : "+"}${offset}`)).toBe(instant.getTime());
      }),
    );
  });

  it.each([
    "",
    "2031-01-01",
    "2031-01-01T00:00:00",
    "2031-01-01T00:00Z",
    "2031-01-01 00:00:00Z",
    "2031-1-1T00:00:00Z",
    "2031-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2031-02-30T00:00:00Z",
    "2031-04-31T00:00:00Z",
    "2031-00-10T00:00:00Z",
    "2031-13-10T00:00:00Z",
    "2031-01-00T00:00:00Z",
    "2031-01-32T00:00:00Z",
    "2031-01-01T24:00:00Z",
    "2031-01-01T25:00:00Z",
    "2031-01-01T00:60:00Z",
    "2031-01-01T00:00:61Z",
    "2031-01-01T00:00:00+24:00",
    "2031-01-01T00:00:00+01:60",
    "2031-01-01T00:00:00+0100",
    "2031-01-01T00:00:00.Z",
    "2031-01-01T00:00:00ZZ",
    "+002031-01-01T00:00:00Z",
    "Wed, 01 Jan 2031 00:00:00 GMT",
    "1924905600",
    "tomorrow",
  ])("[LT2] %j is refused", (text) => {
    expect(parse({ "Stream-Expires-At": text })).toMatchObject({
      ok: false,
      detail: expect.stringContaining("RFC 3339"),
    });
  });
});

describe("a lifetime", () => {
  it("is for ever without headers", () => {
    expect(parse({})).toEqual({ ok: true, lifetime: FOREVER });
  });

  it("[LT3] is refused with both headers, even where both are valid", () => {
    expect(parse({ "Stream-TTL": "1", "Stream-Expires-At": "2031-01-31T12:00:00Z" })).toMatchObject({ ok: false });
  });

  it("slides with a TTL, stands still at an instant, and has no end otherwise", () => {
    expect(deadlineMs({ kind: "ttl", ttlSeconds: 5 }, 1_000)).toBe(6_000);
    expect(deadlineMs({ kind: "at", expiresAtMs: 7 }, 1_000)).toBe(7);
    expect(deadlineMs(FOREVER, 1_000)).toBeUndefined();
  });

  it("[CR9] equals another exactly when it asks for the same", () => {
    const all: Lifetime[] = [
      FOREVER,
      { kind: "ttl", ttlSeconds: 60 },
      { kind: "ttl", ttlSeconds: 61 },
      { kind: "at", expiresAtMs: 60 },
      { kind: "at", expiresAtMs: 61 },
    ];
    for (const [i, a] of all.entries()) {
      for (const [j, b] of all.entries()) expect(sameLifetime(a, structuredClone(b))).toBe(i === j);
    }
  });
});
