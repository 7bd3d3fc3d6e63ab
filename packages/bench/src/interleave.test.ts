import { expect, it } from "vitest";

import { interleave } from "./interleave.ts";

it("every target is measured once per round, and each round begins with the next target", async () => {
  const order: string[] = [];
  const measured = await interleave(["a", "b", "c"], 3, async (target, round) => {
    order.push(target);
    return `${target}${round}`;
  });
  expect(order.join("")).toBe("abcbcacab");
  expect([...measured.values()]).toEqual([
    ["a0", "a1", "a2"],
    ["b0", "b1", "b2"],
    ["c0", "c1", "c2"],
  ]);
});
