import assert from "node:assert/strict";

import { forksTable, pendingReleasesTable } from "@durable-streams-cloudflare/core/stream/tables/fork-rows";
import { streamTable, type Origin } from "@durable-streams-cloudflare/core/stream/tables/stream-row";
import { rowsOf } from "@durable-streams-cloudflare/core/test/stored-rows";
import { codeOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { textOf } from "@durable-streams-cloudflare/testkit";

import type { StreamWorld } from "./stream-world.ts";

/** Whatever happens, a fork that is there has every byte. */
export function expectWholeContents(world: StreamWorld): void {
  for (const name of world.keys) {
    const content = world.content(name);
    const code = codeOf(content);
    assert.ok(["ok", "stream-not-found", "stream-deleted"].includes(code), `${name} was answered ${code}.`);
    const found = content.ok ? textOf(content.bytes) : "";
    const expected = content.ok ? textOf(world.expectedContent(name, content.lineage)) : "";
    assert.deepEqual({ name, content: found }, { name, content: expected });
  }
}

/** At rest, exactly the forks that exist are counted, no release is pending, and only counted streams are retained. */
export function expectExactCounts(world: StreamWorld): void {
  const origins = world.keys.flatMap((name) => originsOf(world, name));
  for (const name of world.keys) {
    const { database } = world.host(name);
    const pins = rowsOf(database, forksTable).map(({ id }) => id);
    const forks = origins.filter(({ source }) => source === name).map(({ forkId }) => forkId);
    assert.deepEqual({ name, pins: pins.toSorted() }, { name, pins: forks.toSorted() });
    assert.deepEqual({ name, pendingReleases: rowsOf(database, pendingReleasesTable) }, { name, pendingReleases: [] });
    const [stream] = rowsOf(database, streamTable);
    const isRetainedForNobody = stream?.deleted === 1 && pins.length === 0;
    assert.deepEqual({ name, isRetainedForNobody }, { name, isRetainedForNobody: false });
    const left = stream === undefined ? world.leftovers(name) : [];
    assert.deepEqual({ name, left }, { name, left: [] });
  }
}

/** Deletes what is left, and there is nothing left. */
export async function expectNothingAfterDeletingAll(world: StreamWorld): Promise<void> {
  for (const name of world.keys) await world.ask(name, (stream) => stream.remove());
  await world.fireAllAlarms();
  for (const name of world.keys) assert.deepEqual({ name, left: world.leftovers(name) }, { name, left: [] });
}

function originsOf(world: StreamWorld, name: string): Origin[] {
  return rowsOf(world.host(name).database, streamTable).flatMap(({ origin }) =>
    origin === null ? [] : [JSON.parse(origin) as Origin],
  );
}
