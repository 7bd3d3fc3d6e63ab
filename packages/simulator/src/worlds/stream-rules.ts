import assert from "node:assert/strict";

import type { Origin } from "@durable-streams-cloudflare/core/stream/tables/stream-row";
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

/** At rest, exactly the forks that exist are counted, nothing is owed, and only counted streams are retained. */
export function expectExactCounts(world: StreamWorld): void {
  const origins = world.keys.flatMap((name) => originsOf(world, name));
  for (const name of world.keys) {
    const pins = rows<{ id: string }>(world, name, "forks").map(({ id }) => id);
    const forks = origins.filter(({ source }) => source === name).map(({ forkId }) => forkId);
    assert.deepEqual({ name, pins: pins.toSorted() }, { name, pins: forks.toSorted() });
    assert.deepEqual({ name, pendingReleases: rows(world, name, "debts") }, { name, pendingReleases: [] });
    const [stream] = rows<{ deleted: number }>(world, name, "stream");
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
  return rows<{ origin: string | null }>(world, name, "stream").flatMap(({ origin }) =>
    origin === null ? [] : [JSON.parse(origin) as Origin],
  );
}

function rows<T extends Record<string, string | number | null>>(world: StreamWorld, name: string, table: string): T[] {
  const { database } = world.host(name);
  const isThere = database.all("SELECT 1 FROM sqlite_master WHERE name = ?", table).length > 0;
  return isThere ? database.all<T>(`SELECT * FROM ${table}`) : [];
}
