import { expect, it } from "vitest";

import { bodyLength, toBody } from "./payload.ts";

it.each(["json", "bytes"] as const)(
  "a body of %s has as many bytes as it says, in however many parts it comes",
  (framing) => {
    const stored = new TextEncoder().encode('1,"two",3,');
    for (let first = 1; first < stored.length; first += 1) {
      for (let last = first; last < stored.length; last += 1) {
        const cuts = [...new Set([0, first, last, stored.length])];
        const parts = cuts.slice(1).map((end, at) => stored.subarray(cuts[at], end));
        const body = parts.map((part, at) => toBody(part, framing, at === 0, at === parts.length - 1));
        expect(body.reduce((sum, { length }) => sum + length, 0)).toBe(bodyLength(stored.length, framing));
      }
    }
    const whole = new TextDecoder().decode(toBody(stored, framing, true, true));
    expect(whole).toBe(framing === "json" ? '[1,"two",3]' : '1,"two",3,');
  },
);
