import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  decideProducer,
  parseProducer,
  PRODUCER_ID_LENGTH_MAX,
  sameClaim,
  type ProducerClaim,
  type ProducerDecision,
  type ProducerState,
} from "./producer.ts";

const MAX = Number.MAX_SAFE_INTEGER;
const FULL = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };

function parse(headers: Partial<Record<string, string>>) {
  return parseProducer((name) => headers[name] ?? null);
}

describe("the decision about one append", () => {
  it.each<[string, ProducerState | undefined, epoch: number, seq: number, ProducerDecision]>([
    ["an unknown producer starts at 0", undefined, 0, 0, { kind: "accept" }],
    ["an unknown producer may start in any epoch", undefined, 7, 0, { kind: "accept" }],
    ["an unknown producer cannot start later", undefined, 0, 1, { kind: "gap", expectedSeq: 0 }],
    ["the next number", { epoch: 0, seq: 0 }, 0, 1, { kind: "accept" }],
    ["the same number", { epoch: 0, seq: 3 }, 0, 3, { kind: "duplicate", state: { epoch: 0, seq: 3 } }],
    ["an older number", { epoch: 0, seq: 3 }, 0, 0, { kind: "duplicate", state: { epoch: 0, seq: 3 } }],
    ["a number too far", { epoch: 0, seq: 3 }, 0, 5, { kind: "gap", expectedSeq: 4 }],
    ["an older epoch", { epoch: 2, seq: 3 }, 1, 4, { kind: "stale-epoch", currentEpoch: 2 }],
    ["an older epoch that starts anew", { epoch: 2, seq: 3 }, 1, 0, { kind: "stale-epoch", currentEpoch: 2 }],
    ["a newer epoch from 0", { epoch: 2, seq: 3 }, 3, 0, { kind: "accept" }],
    ["an epoch may skip epochs", { epoch: 2, seq: 3 }, 9, 0, { kind: "accept" }],
    ["a newer epoch not from 0", { epoch: 2, seq: 3 }, 3, 4, { kind: "epoch-must-start-at-zero" }],
    ["the last number there is", { epoch: 0, seq: MAX - 1 }, 0, MAX, { kind: "accept" }],
  ])("%s", (_rule, state, epoch, seq, decision) => {
    expect(decideProducer(state, { id: "p", epoch, seq })).toEqual(decision);
  });

  it("[IN3] accepts each (epoch, seq) at most once, whatever order they come in", () => {
    const claim = fc.record({ id: fc.constant("p"), epoch: fc.nat(2), seq: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(claim, { maxLength: 60 }), (claims) => {
        let state: ProducerState | undefined;
        const accepted: string[] = [];
        for (const next of claims) {
          if (decideProducer(state, next).kind !== "accept") continue;
          accepted.push(`${next.epoch}.${next.seq}`);
          state = next;
        }
        expect(new Set(accepted).size).toBe(accepted.length);
        expect(accepted.toSorted()).toEqual(accepted);
      }),
    );
  });
});

describe("the producer headers", () => {
  it("[PR1] are all absent, or all present", () => {
    expect(parse({})).toEqual({ ok: true, claim: undefined });
    expect(parse(FULL)).toEqual({ ok: true, claim: { id: "p", epoch: 0, seq: 0 } });
  });

  it.each([
    [["Producer-Id"]],
    [["Producer-Epoch"]],
    [["Producer-Seq"]],
    [["Producer-Id", "Producer-Epoch"]],
    [["Producer-Id", "Producer-Seq"]],
    [["Producer-Epoch", "Producer-Seq"]],
  ])("[PR1] are incomplete without %j", (missing) => {
    const headers = Object.fromEntries(Object.entries(FULL).filter(([name]) => !missing.includes(name)));
    expect(parse(headers)).toMatchObject({ ok: false, reason: "incomplete" });
  });

  describe.each(["Producer-Epoch", "Producer-Seq"])("%s", (name) => {
    it.each([
      ["0", 0],
      ["1", 1],
      ["9007199254740991", MAX],
    ])("[PR3] accepts %s", (text, value) => {
      const field = name === "Producer-Epoch" ? "epoch" : "seq";
      expect(parse({ ...FULL, [name]: text })).toMatchObject({ ok: true, claim: { [field]: value } });
    });

    it.each([
      "9007199254740992",
      "99999999999999999999",
      "",
      "01",
      "00",
      "-1",
      "+1",
      "1.0",
      "1e3",
      "0x1",
      " 1",
      "a",
      "١",
    ])("[PR3] refuses %j", (text) => {
      expect(parse({ ...FULL, [name]: text })).toMatchObject({
        ok: false,
        reason: "invalid",
        detail: expect.stringContaining(name),
      });
    });
  });

  it.each(["p", "a b", "é😀", "p".repeat(PRODUCER_ID_LENGTH_MAX)])("[PR2] accept the id %.20j", (id) => {
    expect(parse({ ...FULL, "Producer-Id": id })).toMatchObject({ ok: true, claim: { id } });
  });

  it.each(["", "p".repeat(PRODUCER_ID_LENGTH_MAX + 1), "a\u0000", "a\tb", "\u007f"])(
    "[PR2] refuse the id %.20j",
    (id) => {
      expect(parse({ ...FULL, "Producer-Id": id })).toMatchObject({ ok: false, reason: "invalid" });
    },
  );
});

it("two claims are the same only when id, epoch and seq are, and never when one is missing", () => {
  const claim: ProducerClaim = { id: "p", epoch: 1, seq: 2 };
  expect(sameClaim(claim, { ...claim })).toBe(true);
  expect(sameClaim(claim, { ...claim, id: "q" })).toBe(false);
  expect(sameClaim(claim, { ...claim, epoch: 2 })).toBe(false);
  expect(sameClaim(claim, { ...claim, seq: 3 })).toBe(false);
  expect(sameClaim(claim, undefined)).toBe(false);
  expect(sameClaim(undefined, undefined)).toBe(false);
});
