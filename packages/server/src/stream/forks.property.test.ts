import { assertProperty, textOf } from "@durable-streams-cloudflare/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";

import { ForkRun, forkSteps } from "../../test/support/fork-steps.ts";
import type { StreamWorld } from "../../test/support/stream-world.ts";
import type { Origin } from "../storage/stream-row.ts";

/** Longer than any debt waits, shorter than what expires. */
const QUIET_MS = 90_000;

/** Whatever happens, a fork that is there has every byte. */
function expectWholeContents(world: StreamWorld): void {
  for (const name of world.names) {
    const content = world.content(name);
    if (!content.ok) {
      expect(["stream-not-found", "stream-deleted"]).toContain(content.problem.code);
      continue;
    }
    expect(textOf(content.bytes)).toBe(textOf(world.expectedContent(name, content.lineage)));
  }
}

function rows<T extends Record<string, string | number | null>>(world: StreamWorld, name: string, table: string): T[] {
  const { database } = world.host(name);
  const isThere = database.all("SELECT 1 FROM sqlite_master WHERE name = ?", table).length > 0;
  return isThere ? database.all<T>(`SELECT * FROM ${table}`) : [];
}

/** At rest, exactly the forks that exist are counted, nothing is owed, and only counted streams are retained. */
function expectExactCounts(world: StreamWorld): void {
  const origins = world.names.flatMap((name) =>
    rows<{ origin: string | null }>(world, name, "stream").flatMap(({ origin }) =>
      origin === null ? [] : [JSON.parse(origin) as Origin],
    ),
  );
  for (const name of world.names) {
    const pins = rows<{ id: string }>(world, name, "forks").map(({ id }) => id);
    const forks = origins.filter(({ source }) => source === name).map(({ forkId }) => forkId);
    expect({ name, pins: pins.toSorted() }).toEqual({ name, pins: forks.toSorted() });
    expect({ name, debts: rows(world, name, "debts") }).toEqual({ name, debts: [] });
    const [stream] = rows<{ deleted: number }>(world, name, "stream");
    if (stream?.deleted === 1) expect(pins).not.toEqual([]);
    if (stream === undefined) expect({ name, left: world.leftovers(name) }).toEqual({ name, left: [] });
  }
}

/** Deletes what is left, and there is nothing left. */
async function expectNothingAfterDeletingAll(world: StreamWorld): Promise<void> {
  for (const name of world.names) await world.ask(name, (stream) => stream.remove());
  await world.ringAll();
  for (const name of world.names) expect({ name, left: world.leftovers(name) }).toEqual({ name, left: [] });
}

it("forks keep every byte and leave none, whatever crashes, is lost or comes late between their objects", async () => {
  const seen = new Map<string, number>();
  const property = fc.asyncProperty(forkSteps, async (plan) => {
    const run = new ForkRun();
    for (const step of plan) {
      await run.take(step);
      expectWholeContents(run.world);
    }
    await run.finish();
    expectWholeContents(run.world);
    await run.world.ringAll(run.world.nowMs + QUIET_MS);
    expectWholeContents(run.world);
    expectExactCounts(run.world);
    await expectNothingAfterDeletingAll(run.world);
    for (const [outcome, count] of run.outcomes) seen.set(outcome, (seen.get(outcome) ?? 0) + count);
  });
  await assertProperty("forks on node:sqlite", property, 400);
  // The plans do reach what they are made for.
  for (const outcome of ["fork ok", "fork lost", "fork path-retained", "fork fork-source-deleted", "remove ok"])
    expect([...seen.keys()]).toContain(outcome);
}, 600_000);
