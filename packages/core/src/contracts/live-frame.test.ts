import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { decodeFrame, encodeFrame } from "./live-frame.ts";

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

it("[IN19] a frame of another version, or one that is too short, is refused", () => {
  const message = encodeFrame({ from: 0, to: 1, closed: false, bytes: new Uint8Array(1) });
  new DataView(message).setUint8(0, 2);
  expect(decodeFrame(message)).toBeUndefined();
  expect(decodeFrame(message.slice(0, 17))).toBeUndefined();
});
