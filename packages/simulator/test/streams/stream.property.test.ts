import { assertProperty } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { chainSteps, steps } from "../../src/model/steps.ts";
import { liveAsTheModel } from "../../src/scenarios/streams.ts";

it("[IN4] [IN5] [IN6] [IN10] streams and forks behave as the reference model does: restarts, expiry, and crashes between any two steps", async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(steps, async (plan) => {
    for (const outcome of Object.keys(await liveAsTheModel(plan))) seen.add(outcome);
  });
  await assertProperty("streams on node:sqlite", property, 500, () =>
    expect([...seen].toSorted()).toEqual(expect.arrayContaining(REACHED)),
  );
}, 600_000);

it("a read may renew a fork's lifetime although it is refused: its offset lies inside the first append, as the source finds", async () => {
  const unmarked = { rightMode: true, close: false, producer: undefined, streamSeq: undefined, expected: undefined };
  const forked = { kind: "fork", source: 2, place: 0, subOffset: 0, ttlSeconds: undefined, closed: false } as const;
  const outcomes = await liveAsTheModel([
    { name: "c", kind: "create", mode: "bytes", ttlSeconds: 1_000, closed: false },
    { name: "c", kind: "append", intent: { records: [0, 0], ...unmarked } },
    { name: "d", ...forked },
    { name: "c", kind: "advance", how: "almost" },
    // One past the beginning: the fourth of -1, now, two offsets, and the same with one added.
    { name: "d", kind: "read", which: 4, etag: 0 },
    { name: "a", kind: "advance", how: "little" },
    { name: "a", kind: "head" },
  ]);
  expect(outcomes["read offset-invalid"]).toBeGreaterThan(0);
});

it("[FK18] [IN12] chains of a hundred forks behave as the reference model does", async () => {
  const property = fc.asyncProperty(chainSteps(100), async (plan) => {
    const outcomes = await liveAsTheModel(plan);
    expect(outcomes["fork created"]).toBeGreaterThanOrEqual(100);
  });
  await assertProperty("chains of forks on node:sqlite", property, 8);
}, 600_000);

const REACHED = [
  "append expected-offset-mismatch",
  "append stream-seq-regression",
  "create path-retained",
  "fork created",
  "fork exists",
  "fork fork-source-deleted",
  "fork lost",
  "fork stream-exists",
  "read not-modified",
  "read offset-gone",
  "read stream-deleted",
  "remove lost",
  "remove removed",
];
