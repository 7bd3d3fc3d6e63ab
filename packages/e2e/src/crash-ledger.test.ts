import { expect, it } from "vitest";

import { faultsOf, halves, type Entry } from "./crash-ledger.ts";

const A = { writer: "a", acknowledged: 2, unanswered: false };
const B = { writer: "b", acknowledged: 1, unanswered: true };
const entries = (...appends: readonly [string, number][]): Entry[] =>
  appends.flatMap(([writer, n]) => halves(writer, n));

it.each([
  ["the acknowledged appends", entries(["a", 0], ["b", 0], ["a", 1])],
  ["one that was not answered", entries(["b", 0], ["b", 1], ["a", 0], ["a", 1])],
])("a stream with %s keeps its promises", (_, stored) => {
  expect(faultsOf(stored, [A, B])).toEqual([]);
});

it.each([
  ["a lost append", entries(["a", 0], ["b", 0]), "a: 2 appends were acknowledged, 1 are there"],
  ["a doubled append", entries(["a", 0], ["a", 0], ["a", 1], ["b", 0]), "a: append 0 stands where 1 belongs"],
  ["a hole", entries(["b", 0], ["a", 1]), "a: append 1 stands where 0 belongs"],
  ["too many", entries(["a", 0], ["a", 1], ["a", 2], ["b", 0]), "a: at most 2 appends were sent, 3 are there"],
  ["a stranger", entries(["a", 0], ["a", 1], ["b", 0], ["c", 0]), "c is not known"],
  ["half an append", entries(["a", 0], ["a", 1], ["b", 0]).slice(0, -1), "message 4 begins a torn append"],
  ["mixed appends", [...entries(["a", 0]), ...halves("a", 1).toReversed()], "message 2 begins a torn append"],
])("%s is found", (_, stored, fault) => {
  expect(faultsOf(stored, [A, B])).toContain(fault);
});
