import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { decodeFrame, encodeFrame, encodeRange, isRange } from "./live-frame.ts";

const position = fc.nat(Number.MAX_SAFE_INTEGER);
const frame = fc.record({
  from: position,
  to: position,
  closed: fc.boolean(),
  bytes: fc.uint8Array().map((bytes) => Uint8Array.from(bytes)),
});

it("a frame arrives as it was sent", async () => {
  const property = fc.property(frame, (some) => {
    expect(decodeFrame(encodeFrame(some))).toEqual(some);
  });
  await assertProperty("live frames", property, 300);
});

it("a range arrives as a frame without bytes, and for an edge that knows no ranges is a message of another version", async () => {
  const property = fc.property(frame, (some) => {
    const message = encodeRange(some);
    expect(decodeFrame(message)).toEqual({ ...some, bytes: new Uint8Array() });
    expect([message.byteLength, new DataView(message).getUint8(0)]).toEqual([18, 2]);
  });
  await assertProperty("ranges", property, 100);
  expect(isRange({ from: 3, to: 4, closed: false, bytes: new Uint8Array() })).toBe(true);
  // A close without data.
  expect(isRange({ from: 3, to: 3, closed: true, bytes: new Uint8Array() })).toBe(false);
});

it("[IN19] a frame of another version, or one that is too short, is refused", () => {
  const message = encodeFrame({ from: 0, to: 1, closed: false, bytes: new Uint8Array(1) });
  new DataView(message).setUint8(0, 3);
  expect(decodeFrame(message)).toBeUndefined();
  expect(decodeFrame(message.slice(0, 17))).toBeUndefined();
});
