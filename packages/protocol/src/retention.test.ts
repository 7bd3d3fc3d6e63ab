import { expect, it } from "vitest";

import { KEEP_ALL, keepsAll, parseRetention, sameRetention } from "./retention.ts";

const parse = (headers: Record<string, string>) => parseRetention((name) => headers[name] ?? null);

it("without headers everything is kept", () => {
  expect(parse({})).toEqual({ ok: true, retention: KEEP_ALL });
  expect(keepsAll(KEEP_ALL)).toBe(true);
});

it("is by seconds, by bytes, or both", () => {
  expect(parse({ "Stream-Retention-Seconds": "60" })).toEqual({
    ok: true,
    retention: { seconds: 60, bytes: undefined },
  });
  const both = parse({ "Stream-Retention-Seconds": "60", "Stream-Retention-Bytes": "9007199254740991" });
  expect(both).toEqual({ ok: true, retention: { seconds: 60, bytes: 9_007_199_254_740_991 } });
  expect(keepsAll({ seconds: 60, bytes: undefined })).toBe(false);
});

it.each(["0", "", "-1", "+1", "01", "1.5", "1e3", " 1", "9007199254740992", "x"])("%j is no retention", (text) => {
  expect(parse({ "Stream-Retention-Bytes": text })).toMatchObject({ ok: false });
  expect(parse({ "Stream-Retention-Seconds": text })).toMatchObject({ ok: false });
});

it("is the same only if both limits are", () => {
  expect(sameRetention({ seconds: 1, bytes: 2 }, { seconds: 1, bytes: 2 })).toBe(true);
  expect(sameRetention({ seconds: 1, bytes: 2 }, { seconds: 1, bytes: undefined })).toBe(false);
  expect(sameRetention(KEEP_ALL, { seconds: 1, bytes: undefined })).toBe(false);
});
