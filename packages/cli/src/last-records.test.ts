import { expect, it } from "vitest";

import { LastRecords } from "./last-records.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

it("keeps the last messages of a JSON stream, however its text is split into chunks", () => {
  const last = new LastRecords(true, 2);
  for (const chunk of ["[1,2", "3,", '{"a":"]"}', "]", "[4.0]"]) last.push(bytes(chunk));
  expect(last.take()).toEqual(['{"a":"]"}', "4.0"]);
});

it("keeps the last lines of a text, including an incomplete one", () => {
  const last = new LastRecords(false, 2);
  for (const chunk of ["one\ntw", "o\nthree\n", "fo", "ur"]) last.push(bytes(chunk));
  expect(last.take()).toEqual(["three\n", "four"]);
});

it("keeps fewer records if there are fewer", () => {
  const last = new LastRecords(false, 10);
  last.push(bytes("one\n"));
  expect(last.take()).toEqual(["one\n"]);
});

it("never holds more than twice the requested number of records", () => {
  const last = new LastRecords(true, 3);
  for (let n = 0; n < 1_000; n += 1) last.push(bytes(`[${n}]`));
  expect(last.take()).toEqual(["997", "998", "999"]);
});
