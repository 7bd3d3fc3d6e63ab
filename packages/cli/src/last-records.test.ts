import { expect, it } from "vitest";

import { LastRecords } from "./last-records.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

it("keeps the last messages of a JSON stream, however its text is cut", () => {
  const last = new LastRecords(true, 2);
  for (const piece of ["[1,2", "3,", '{"a":"]"}', "]", "[4.0]"]) last.push(bytes(piece));
  expect(last.take()).toEqual(['{"a":"]"}', "4.0"]);
});

it("keeps the last lines of a text, and what has no end yet", () => {
  const last = new LastRecords(false, 2);
  for (const piece of ["one\ntw", "o\nthree\n", "fo", "ur"]) last.push(bytes(piece));
  expect(last.take()).toEqual(["three\n", "four"]);
});

it("has fewer where there are fewer", () => {
  const last = new LastRecords(false, 10);
  last.push(bytes("one\n"));
  expect(last.take()).toEqual(["one\n"]);
});

it("holds no more than twice what is wanted", () => {
  const last = new LastRecords(true, 3);
  for (let n = 0; n < 1_000; n += 1) last.push(bytes(`[${n}]`));
  expect(last.take()).toEqual(["997", "998", "999"]);
});
