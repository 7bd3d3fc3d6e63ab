/**
 * The tables of a subscription of the protocol.
 *
 * Table `consumer`: one row. `facts`: JSON, its configuration; written when it is created and deleted, and kept as a tombstone
 * then. `progress`: JSON, its wake, its lease and its attempts; written with each change of them.
 *
 * Table `links`: one row per stream, by its name. `since_ms`: only what was appended later is new. `incarnation`: the
 * incarnation of the stream that `acked` and `tail` are offsets of; null while the stream does not exist. `ask_at_ms`: when to
 * ask the stream for notifications; null once it sends them. A row is written when the link is created or ended, when the
 * stream grows, and when that is acknowledged.
 */

import type { DeliveryAttempt, LinkView } from "../../contracts/wakes.ts";
import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, onlyRow, text, type RowOf } from "../../kit/sql/column.ts";
import { schema } from "../../kit/sql/schema.ts";
import { table } from "../../kit/sql/table.ts";

const consumerTable = table({
  kind: "wakes",
  name: "consumer",
  columns: { id: onlyRow(), facts: text(), progress: text() },
  key: ["id"],
});

const linksTable = table({
  kind: "wakes",
  name: "links",
  columns: {
    path: text(),
    is_explicit: integer(),
    is_glob: integer(),
    since_ms: integer(),
    incarnation: nullable(integer()),
    acked: text(),
    tail: text(),
    grown_at_ms: integer(0),
    ask_at_ms: nullable(integer()),
    failures: integer(0),
  },
  key: ["path"],
  indexes: {
    links_pending: { columns: ["grown_at_ms"], where: "tail > acked" },
    links_to_ask: { columns: ["ask_at_ms"], where: "ask_at_ms IS NOT NULL" },
  },
});

export const WAKE_SCHEMA = schema({ kind: "wakes", together: [consumerTable, linksTable] });

/** What a wake is at. `sending`: it has not been delivered; `sent`: nobody has claimed it; `leased`: somebody works. */
export type WakePhase = "sending" | "sent" | "leased";

export interface WakeRow {
  readonly id: string;
  readonly generation: number;
  readonly phase: WakePhase;
  /** Deliveries that were begun. */
  readonly attempts: number;
  /** While `sending`, in ms. */
  readonly nextAttemptAtMs: number;
  /** While `leased`, in ms. */
  readonly leaseUntilMs: number;
  /** No lease of this wake lasts longer, in ms; 0 before its first delivery. */
  readonly endsAtMs: number;
  /** The worker that holds the lease of a pull-wake. */
  readonly holder: string | null;
  /** How often in a row the next attempt was put off because of a limit; missing: 0. */
  readonly putOff?: number;
  /** Whether an acknowledgement has moved a cursor. */
  readonly hasMoved?: true;
  /** What a webhook was sent: streams and their tails. */
  readonly snapshot: readonly (readonly [path: string, tail: string])[];
}

export interface WakeProgress {
  /** Of the newest wake; never goes down. */
  readonly generation: number;
  readonly wake: WakeRow | null;
  /** The last attempt to deliver failed. */
  readonly hasFailed: boolean;
  /** Wakes in a row that ended with nothing acknowledged although something was pending; missing: 0. */
  readonly fruitless?: number;
  /** Newest first. */
  readonly attempts: readonly DeliveryAttempt[];
}

export interface LinkRow {
  readonly path: string;
  readonly isExplicit: boolean;
  readonly isGlob: boolean;
  readonly sinceMs: number;
  readonly incarnation: number | null;
  readonly acked: string;
  readonly tail: string;
  readonly askAtMs: number | null;
  readonly failures: number;
}

const COLUMNS = [
  "path",
  "is_explicit",
  "is_glob",
  "since_ms",
  "incarnation",
  "acked",
  "tail",
  "ask_at_ms",
  "failures",
] as const;

const READ_CONSUMER = consumerTable.select(["facts", "progress"], { where: "id = 1" });
const REPLACE_CONSUMER = consumerTable.replace(["id", "facts", "progress"]);
const UPDATE_PROGRESS = consumerTable.update("progress = ?", "id = 1");

const DELETE_ALL = linksTable.delete();
const READ_LINK = linksTable.select(COLUMNS, { where: "path = ?" });
const REPLACE_LINK = linksTable.replace([...COLUMNS, "grown_at_ms"]);
const UPDATE_TAIL = linksTable.update("tail = ?, grown_at_ms = ?", "path = ?");
const UPDATE_ACKED = linksTable.update("acked = max(acked, ?)", "path = ?");
const UPDATE_ASK = linksTable.update("ask_at_ms = ?, failures = ?", "path = ?");
const DELETE_LINK = linksTable.delete("path = ?");
const DELETE_ORPHANS = linksTable.delete("is_explicit = 0 AND is_glob = 0");
const COUNT = linksTable.compute<{ links: number }>("count(*) AS links");
const PENDING = linksTable.select(COLUMNS, { where: "tail > acked", orderBy: "path", limit: "?" });
const NOT_PENDING = linksTable.select(COLUMNS, {
  where: "tail <= acked AND (is_explicit = 1 OR is_glob = 1)",
  orderBy: "path",
  limit: "?",
});
const EXPLICIT = linksTable.select(["path"], { where: "is_explicit = 1", orderBy: "path", limit: "?" });
const FIRST_PENDING = linksTable.select(["path"], { where: "tail > acked", orderBy: "grown_at_ms", limit: "1" });
const TO_ASK = linksTable.select(COLUMNS, {
  where: "ask_at_ms IS NOT NULL AND ask_at_ms <= ?",
  orderBy: "ask_at_ms",
  limit: "?",
});
const NEXT_ASK = linksTable.compute<{ ask_at_ms: number }>("ask_at_ms", {
  where: "ask_at_ms IS NOT NULL",
  orderBy: "ask_at_ms",
  limit: "1",
});
const GROWN_LAST = linksTable.select(COLUMNS, {
  where: "incarnation IS NOT NULL",
  orderBy: "grown_at_ms DESC",
  limit: "?",
});

export function createConsumerTables(database: Database): void {
  database.tables.create(...WAKE_SCHEMA.together);
}

export function dropLinks(database: Database): void {
  database.run(DELETE_ALL);
}

/** @returns the subscription as JSON, and the progress; `undefined`: there never was such a subscription. */
export function readConsumer(database: Database): { subscription: string; progress: WakeProgress } | undefined {
  if (!database.tables.has(consumerTable)) return undefined;
  const row = firstRow(database, READ_CONSUMER);
  return row && { subscription: row.facts, progress: JSON.parse(row.progress) as WakeProgress };
}

export function writeConsumer(database: Database, subscription: string, progress: WakeProgress): void {
  database.run(REPLACE_CONSUMER, 1, subscription, JSON.stringify(progress));
}

export function writeProgress(database: Database, progress: WakeProgress): void {
  database.run(UPDATE_PROGRESS, JSON.stringify(progress));
}

export function readLink(database: Database, path: string): LinkRow | undefined {
  const row = firstRow(database, READ_LINK, path);
  return row && toLink(row);
}

export function writeLink(database: Database, row: LinkRow, grownAtMs: number): void {
  database.run(
    REPLACE_LINK,
    row.path,
    row.isExplicit ? 1 : 0,
    row.isGlob ? 1 : 0,
    row.sinceMs,
    row.incarnation,
    row.acked,
    row.tail,
    row.askAtMs,
    row.failures,
    grownAtMs,
  );
}

export function updateTail(database: Database, path: string, tail: string, nowMs: number): void {
  database.run(UPDATE_TAIL, tail, nowMs, path);
}

/** Never backwards. */
export function updateAcked(database: Database, path: string, acked: string): void {
  database.run(UPDATE_ACKED, acked, path);
}

export function updateAsk(
  database: Database,
  path: string,
  { askAtMs, failures }: Pick<LinkRow, "askAtMs" | "failures">,
): void {
  database.run(UPDATE_ASK, askAtMs, failures, path);
}

export function deleteLink(database: Database, path: string): void {
  database.run(DELETE_LINK, path);
}

/** Links that are kept for acknowledgements under way only. */
export function deleteOrphans(database: Database): void {
  database.run(DELETE_ORPHANS);
}

export function countLinks(database: Database): number {
  return firstRow(database, COUNT)?.links ?? 0;
}

/** The streams with something new, and the others after them, each in the order of names. */
export function linksByNeed(database: Database, limit: number): LinkRow[] {
  const first = database.all(PENDING, limit);
  return [...first, ...database.all(NOT_PENDING, limit - first.length)].map(toLink);
}

/** The streams that were named. */
export function explicitPaths(database: Database, limit: number): string[] {
  return database.all(EXPLICIT, limit).map(({ path }) => path);
}

/** The stream that has had something new for the longest time. */
export function firstPending(database: Database): string | undefined {
  return firstRow(database, FIRST_PENDING)?.path;
}

/** Links whose stream is to be asked by an instant. */
export function linksToAsk(database: Database, nowMs: number, limit: number): LinkRow[] {
  return database.all(TO_ASK, nowMs, limit).map(toLink);
}

/** When the first of them is to be asked, in ms. */
export function nextAskMs(database: Database): number | undefined {
  return firstRow(database, NEXT_ASK)?.ask_at_ms;
}

/** Links whose streams have grown last. */
export function linksGrownLast(database: Database, limit: number): LinkRow[] {
  return database.all(GROWN_LAST, limit).map(toLink);
}

export function viewOfLink({ path, isExplicit, acked, tail }: LinkRow): LinkView {
  return { path, linkType: isExplicit ? "explicit" : "glob", acked, tail };
}

function toLink(row: RowOf<typeof linksTable.columns, (typeof COLUMNS)[number]>): LinkRow {
  return {
    path: row.path,
    isExplicit: row.is_explicit === 1,
    isGlob: row.is_glob === 1,
    sinceMs: row.since_ms,
    incarnation: row.incarnation,
    acked: row.acked,
    tail: row.tail,
    askAtMs: row.ask_at_ms,
    failures: row.failures,
  };
}
