/**
 * Tables `places` and `public_places`, in a project's object: how many reader slots each stream has leased, one row per stream,
 * and until when. An expired lease no longer counts.
 */

import type { ReaderBudget } from "../../contracts/reader-slots.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { integer, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const readerSlotsTable = table({
  kind: "project",
  name: "places",
  columns: { name: text(), places: integer(), until_ms: integer() },
  key: ["name"],
});

export const publicReaderSlotsTable = table({
  kind: "project",
  name: "public_places",
  columns: { name: text(), places: integer(), until_ms: integer() },
  key: ["name"],
});

const BUDGETS = { tokens: statementsOf(readerSlotsTable), public: statementsOf(publicReaderSlotsTable) } as const;

/** Counts the leased slots of all streams but one. */
export function countOtherReaderSlots(database: Database, budget: ReaderBudget, name: string, nowMs: number): number {
  const { slots, sumOfOthers } = BUDGETS[budget];
  database.tables.create(slots);
  return firstRow(database, sumOfOthers, nowMs, name)?.places ?? 0;
}

/** Writes a lease, and deletes expired ones, whose slots are free again. In a transaction of its own. */
export function writeReaderSlots(
  database: Database,
  budget: ReaderBudget,
  { name, readerSlots, untilMs }: { readonly name: string; readonly readerSlots: number; readonly untilMs: number },
  nowMs: number,
): void {
  const { deleteOver, replace } = BUDGETS[budget];
  database.transaction(() => {
    database.run(deleteOver, nowMs, name);
    database.run(replace, name, readerSlots, untilMs);
  });
}

function statementsOf(slots: typeof readerSlotsTable) {
  return {
    slots,
    sumOfOthers: slots.compute<{ places: number | null }>("sum(places) AS places", {
      where: "until_ms > ? AND name <> ?",
    }),
    deleteOver: slots.delete("until_ms <= ? AND name <> ?"),
    replace: slots.replace(["name", "places", "until_ms"]),
  };
}
