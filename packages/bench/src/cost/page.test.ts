import { expect, it } from "vitest";

import { costPage } from "./page.ts";

const page = costPage("");

/** The dollars in a row of one of the page's tables, which begins with a text and has this many columns. */
function dollarsOf(first: string, columns: number): number[] {
  const row = page
    .split("\n")
    .map((line) => line.split("|").slice(1, -1))
    .find((cells) => cells[0]?.trim() === first && cells.length === columns);
  return (row ?? []).slice(1).map((cell) => Number(cell.replaceAll(/[$,]/g, "")));
}

it("a million appends cost at most $1.60, and a million messages in batches of 100 at most $0.02", () => {
  expect(dollarsOf("1", 3)[1]).toBeLessThanOrEqual(1.6);
  expect(dollarsOf("100", 3)[1]).toBeLessThanOrEqual(0.02);
});

it("10,000 SSE readers cost at most $11 while idle, with sessions of 900 s, by the time in the isolate", () => {
  const [idleInProcess = 0, , idleInIsolate] = dollarsOf("900 s", 5);
  expect(idleInIsolate).toBeLessThanOrEqual(11);
  expect(idleInProcess).toBeLessThanOrEqual(15);
});

it("with a message a second and sessions of 3,600 s, they cost at most $25 by the time in the isolate", () => {
  expect(dollarsOf("3600 s", 5)[3]).toBeLessThanOrEqual(25);
});
