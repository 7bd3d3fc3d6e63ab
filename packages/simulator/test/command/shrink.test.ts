import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { shrink } from "../../src/command/shrink.ts";

const all = (length: number): number[] => Array.from({ length }, (_, index) => index);

it("what is left are exactly the steps that a failure needs, in their order", async () => {
  const plans = fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 5 });
  const property = fc.asyncProperty(plans, async (needed) => {
    const fails = async (indexes: readonly number[]) =>
      needed.every((step) => indexes.includes(step)) ? "failed" : undefined;
    const shrunk = await shrink({ indexes: all(61), failure: "failed" }, fails);
    expect(shrunk.indexes).toEqual(needed.toSorted((a, b) => a - b));
  });
  await assertProperty("shrinking", property, 100);
});

it("a failure that needs no step at all keeps one, and an empty plan is never tried", async () => {
  const tried: number[] = [];
  const shrunk = await shrink({ indexes: all(5), failure: "failed" }, async (indexes) => {
    tried.push(indexes.length);
    return "failed";
  });
  expect(shrunk.indexes).toHaveLength(1);
  expect(Math.min(...tried)).toBe(1);
});

it("gives up after some hundred tries, with the smallest plan so far", async () => {
  let tries = 0;
  const shrunk = await shrink({ indexes: all(2_000), failure: 0 }, async (indexes) => {
    tries += 1;
    return indexes.length >= 1_990 ? tries : undefined;
  });
  expect(tries).toBeLessThanOrEqual(400);
  expect(shrunk.indexes.length).toBeLessThanOrEqual(2_000);
});
