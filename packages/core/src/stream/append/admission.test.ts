import { FOREVER, HEADER, KEEP_ALL, refuse } from "@durable-streams-cloudflare/protocol";
import { describe, expect, it } from "vitest";

import { NodeDatabase } from "../../../test/node-database.ts";
import { appendOf, REMAINING } from "../../../test/stream-fixture.ts";
import type { AppendCommand } from "../../contracts/stream.ts";
import { HotLog } from "../../log/hot-log.ts";
import { newState, type StreamState } from "../state.ts";
import { createSchema, STREAM_SCHEMA } from "../tables/schema.ts";
import { admit, draftOf, type Draft } from "./admission.ts";

const { problem: FAULT } = refuse("json-invalid", "no JSON");
const CLAIM = { id: "p", epoch: 3, seq: 7 };

/** Producer p is at epoch 3, seq 7; Stream-Seq at "m". */
function draft(more: Partial<StreamState> = {}): Draft {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  const result = {
    incarnation: 42,
    contentType: "text/plain",
    lifetime: FOREVER,
    retention: KEEP_ALL,
    earliest: 0,
    touchedAtMs: 0,
    origin: undefined,
  };
  const state = newState(result, new HotLog(database));
  state.uncheckpointed.set("p", { epoch: 3, seq: 7 });
  state.streamSeq = "m";
  return draftOf(Object.assign(state, { tail: 10 }, more), database, REMAINING);
}

function outcomeOf(target: Draft, command: AppendCommand): string {
  const result = admit(target, command);
  if (!result.ok) return result.problem.code;
  return result.admitted ? result.result.outcome : `known: ${result.result.outcome}`;
}

describe("[AP8] precedence: closed > content type > fault > producer > Stream-Seq > expected offset", () => {
  /** Each thing that can be wrong with one append, the most important first. */
  const WRONGS = [
    { code: "stream-closed", state: { closure: {} }, append: {} },
    { code: "content-type-mismatch", state: {}, append: { contentType: "text/html" } },
    { code: "json-invalid", state: {}, append: { fault: FAULT } },
    { code: "producer-gap", state: {}, append: { producer: { ...CLAIM, seq: 99 } } },
    { code: "stream-seq-regression", state: {}, append: { streamSeq: "a" } },
    { code: "expected-offset-mismatch", state: {}, append: { expected: "" } },
  ] as const;
  const pairs = WRONGS.flatMap((first, index) => WRONGS.slice(index).map((second) => ({ first, second })));

  it.each(pairs)("$first.code is reported before $second.code", ({ first, second }) => {
    const target = draft({ ...second.state, ...first.state });
    expect(outcomeOf(target, appendOf("x", { ...second.append, ...first.append }))).toBe(first.code);
  });

  it("of all faults at once, the first of them is reported", () => {
    const everything = WRONGS.map(({ append }) => append).reduce((all, one) => ({ ...all, ...one }), {});
    expect(outcomeOf(draft({ closure: {} }), appendOf("x", everything))).toBe("stream-closed");
    expect(outcomeOf(draft(), appendOf("x", everything))).toBe("content-type-mismatch");
  });

  it("[PR17] a producer's duplicate is recognised before a regression of Stream-Seq", () => {
    expect(outcomeOf(draft(), appendOf("x", { producer: CLAIM, streamSeq: "a" }))).toBe("known: duplicate");
  });

  it("[IN2] a refused append changes nothing in the draft", () => {
    for (const { code, state, append } of WRONGS) {
      const target = draft(state);
      const before = structuredClone({ ...target, state: null, database: null, refuse: null });
      expect(outcomeOf(target, appendOf("x", append))).toBe(code);
      expect({ ...target, state: null, database: null, refuse: null }).toEqual(before);
    }
  });
});

describe("producers", () => {
  it.each([
    { claim: { id: "p", epoch: 3, seq: 8 }, outcome: "appended" },
    { claim: { id: "p", epoch: 3, seq: 7 }, outcome: "known: duplicate" },
    { claim: { id: "p", epoch: 3, seq: 0 }, outcome: "known: duplicate" },
    { claim: { id: "p", epoch: 3, seq: 9 }, outcome: "producer-gap" },
    { claim: { id: "p", epoch: 2, seq: 8 }, outcome: "producer-epoch-stale" },
    { claim: { id: "p", epoch: 4, seq: 0 }, outcome: "appended" },
    { claim: { id: "p", epoch: 4, seq: 1 }, outcome: "producer-epoch-start" },
    { claim: { id: "new", epoch: 9, seq: 0 }, outcome: "appended" },
    { claim: { id: "new", epoch: 9, seq: 1 }, outcome: "producer-gap" },
  ])(
    "[PR4] [PR5] [PR6] [PR7] [PR8] [PR9] epoch $claim.epoch seq $claim.seq of $claim.id is $outcome",
    ({ claim, outcome }) => {
      expect(outcomeOf(draft(), appendOf("x", { producer: claim }))).toBe(outcome);
    },
  );

  it("[PR6] a duplicate is answered with the producer's newest state", () => {
    const result = admit(draft(), appendOf("x", { producer: { ...CLAIM, seq: 2 } }));
    expect(result).toMatchObject({ ok: true, result: { producer: { epoch: 3, seq: 7 }, tail: 10 } });
  });

  it("[PR8] [PR4] a gap names the expected and the received number, a stale epoch the current one", () => {
    const gap = admit(draft(), appendOf("x", { producer: { ...CLAIM, seq: 20 } }));
    const headers = { [HEADER.producerExpectedSeq]: "8", [HEADER.producerReceivedSeq]: "20" };
    expect(gap).toMatchObject({ ok: false, problem: { headers } });
    const stale = admit(draft(), appendOf("x", { producer: { ...CLAIM, epoch: 1 } }));
    expect(stale).toMatchObject({ ok: false, problem: { headers: { [HEADER.producerEpoch]: "3" } } });
  });

  it("[PR10] appends of one batch are judged by those before them", () => {
    const target = draft();
    const claims = [8, 8, 9, 11].map((seq) => appendOf("x", { producer: { ...CLAIM, seq } }));
    expect(claims.map((command) => outcomeOf(target, command))).toEqual([
      "appended",
      "known: duplicate",
      "appended",
      "producer-gap",
    ]);
    const bumped = [
      { ...CLAIM, epoch: 4, seq: 0 },
      { ...CLAIM, seq: 10 },
    ];
    expect(bumped.map((producer) => outcomeOf(target, appendOf("x", { producer })))).toEqual([
      "appended",
      "producer-epoch-stale",
    ]);
    expect(target.tail).toBe(13);
  });
});

describe("closing", () => {
  const closing = { ...CLAIM, seq: 8 };

  it.each([
    { about: "a close without data", append: appendOf("", { close: true }), outcome: "known: closed" },
    { about: "data", append: appendOf("x"), outcome: "stream-closed" },
    { about: "data and a close", append: appendOf("x", { close: true }), outcome: "stream-closed" },
    { about: "a faulty close", append: appendOf("", { close: true, fault: FAULT }), outcome: "stream-closed" },
  ])("[CL2] [CL9] $about after the close is $outcome", ({ append, outcome }) => {
    const target = draft();
    expect(outcomeOf(target, appendOf("end", { close: true }))).toBe("appended");
    expect(outcomeOf(target, append)).toBe(outcome);
  });

  it.each([
    { about: "the claim that closed", producer: closing, outcome: "known: duplicate" },
    { about: "an earlier duplicate of that producer", producer: CLAIM, outcome: "stream-closed" },
    { about: "its next number", producer: { ...closing, seq: 9 }, outcome: "stream-closed" },
    { about: "the same numbers of another producer", producer: { ...closing, id: "q" }, outcome: "stream-closed" },
  ])("[CL8] [CL9] $about after a producer's close is $outcome, with or without data", ({ producer, outcome }) => {
    for (const text of ["", "other data"]) {
      const target = draft();
      expect(outcomeOf(target, appendOf("end", { close: true, producer: closing }))).toBe("appended");
      expect(outcomeOf(target, appendOf(text, { close: true, producer }))).toBe(outcome);
    }
  });

  it("[CL7] the refusal of a closed stream says where it ends", () => {
    const result = admit(draft({ closure: {} }), appendOf("x"));
    const headers = { [HEADER.closed]: "true", [HEADER.nextOffset]: "0000000000000042_0000000000000010" };
    expect(result).toMatchObject({ ok: false, problem: { headers } });
  });

  it("[CL6] a close without data accepts any content type", () => {
    expect(outcomeOf(draft(), appendOf("", { close: true, contentType: "image/png" }))).toBe("closed");
  });
});

describe("an expected offset", () => {
  const END = "0000000000000042_0000000000000010";

  it.each([
    { expected: END, outcome: "appended" },
    { expected: "0000000000000042_0000000000000009", outcome: "expected-offset-mismatch" },
    { expected: "0000000000000042_0000000000000011", outcome: "expected-offset-mismatch" },
    { expected: "0000000000000041_0000000000000010", outcome: "expected-offset-mismatch" },
    { expected: "", outcome: "expected-offset-mismatch" },
  ])("[CX1] [CX2] $expected of a stream that ends at 10 is $outcome", ({ expected, outcome }) => {
    expect(outcomeOf(draft(), appendOf("x", { expected }))).toBe(outcome);
  });

  it("[CX1] is compared with the tail that the appends before it in the batch have made", () => {
    const target = draft();
    const both = [END, END, "0000000000000042_0000000000000011"].map((expected) => appendOf("x", { expected }));
    const outcomes = both.map((command) => outcomeOf(target, command));
    expect(outcomes).toEqual(["appended", "expected-offset-mismatch", "appended"]);
  });

  it("[PR17] is compared after a producer's duplicate is recognised", () => {
    expect(outcomeOf(draft(), appendOf("x", { producer: CLAIM, expected: "" }))).toBe("known: duplicate");
  });

  it("[IN19] comes with a fault for objects that do not know it, and objects that do know it ignore the fault", () => {
    const { problem: fault } = refuse("unavailable", "unknown to this version");
    expect(outcomeOf(draft(), appendOf("x", { fault }))).toBe("unavailable");
    expect(outcomeOf(draft(), appendOf("x", { expected: END, fault }))).toBe("appended");
  });
});

describe("content types and Stream-Seq", () => {
  it.each(["text/plain", "TEXT/Plain", "text/plain; charset=utf-8", "text/plain ;x=y"])(
    "[AP2] %s is the stream's text/plain",
    (contentType) => {
      expect(outcomeOf(draft(), appendOf("x", { contentType }))).toBe("appended");
    },
  );

  it.each([
    { streamSeq: "n", outcome: "appended" },
    { streamSeq: "mm", outcome: "appended" },
    { streamSeq: "m", outcome: "stream-seq-regression" },
    { streamSeq: "l", outcome: "stream-seq-regression" },
  ])("[AP6] Stream-Seq $streamSeq after m is $outcome", ({ streamSeq, outcome }) => {
    expect(outcomeOf(draft(), appendOf("x", { streamSeq }))).toBe(outcome);
  });
});
