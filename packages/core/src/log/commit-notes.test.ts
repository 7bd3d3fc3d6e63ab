import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { decodeNotes, encodeNotes, type CommitNotes } from "./commit-notes.ts";

const count = fc.nat(Number.MAX_SAFE_INTEGER);
const claim = fc.record({ id: fc.string({ unit: "grapheme", minLength: 1 }), epoch: count, seq: count });
const notes: fc.Arbitrary<CommitNotes> = fc.record(
  {
    ends: fc.array(count),
    open: fc.constant(true as const),
    producers: fc.array(claim),
    streamSeq: fc.string({ unit: "grapheme", minLength: 1 }),
    closed: fc.oneof(
      fc.constant({}),
      claim.map((by) => ({ by })),
    ),
    requestIds: fc.array(fc.option(fc.string(), { nil: null })),
  },
  { requiredKeys: [] },
);

it("what is written is read back", async () => {
  const property = fc.property(notes, (some) => {
    expect(decodeNotes(encodeNotes(some))).toEqual(some);
  });
  await assertProperty("commit notes", property, 500);
});

it("authors are read back, one for each append; one text stands for all where all are the same", () => {
  for (const [notes, text] of [
    [{ authors: ["alice"] }, '{"w":"alice"}'],
    [{ authors: [null] }, '{"w":null}'],
    [{ ends: [1, 2, 3], authors: ["a", "a", "a"] }, '{"e":[1,2,3],"w":"a"}'],
    [{ ends: [1, 2, 3], authors: [null, null, null] }, '{"e":[1,2,3],"w":null}'],
    [{ ends: [1, 2, 3], authors: ["a", null, "b"] }, '{"e":[1,2,3],"w":["a",null,"b"]}'],
  ] as const) {
    expect(encodeNotes(notes)).toBe(text);
    expect(decodeNotes(text)).toEqual(notes);
  }
});

it("a commit that needs no notes has none", () => {
  expect(encodeNotes({})).toBeNull();
  expect(decodeNotes(null)).toEqual({});
});

it("the stored form does not change, because streams on disk have it", () => {
  const by = { id: "p", epoch: 1, seq: 2 };
  const all: CommitNotes = { ends: [1, 2], producers: [by], streamSeq: "s", closed: { by }, requestIds: ["t", null] };
  const text = '{"e":[1,2],"p":[["p",1,2]],"s":"s","c":["p",1,2],"a":["t",null]}';
  expect(encodeNotes(all)).toBe(text);
  expect(encodeNotes({ open: true })).toBe('{"o":1}');
  expect(encodeNotes({ closed: {} })).toBe('{"c":1}');
});
