/**
 * The tables of a subscription of the protocol.
 *
 * Table `consumer`: one row. `facts`: JSON, what it is; written when it is made and when it goes, and kept as a tombstone
 * then. `progress`: JSON, its wake, its lease and its attempts; written with each step of them.
 *
 * Table `links`: one row per stream, by its name. `since_ms`: what was appended before is no news. `incarnation`: the life
 * of the stream that `acked` and `tail` are offsets of; null while there is none. `ask_at_ms`: when the stream is to be
 * asked to tell of its appends; null once it does. Written when the link begins or ends, when the stream grows, and when
 * that is acknowledged.
 */

import type { DeliveryAttempt, LinkView } from "../../contracts/wakes.ts";
import { firstRow, type Database } from "../../kit/database.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS consumer (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    facts TEXT NOT NULL,
    progress TEXT NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS links (
    path TEXT PRIMARY KEY,
    is_explicit INTEGER NOT NULL,
    is_glob INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    incarnation INTEGER,
    acked TEXT NOT NULL,
    tail TEXT NOT NULL,
    grown_at_ms INTEGER NOT NULL DEFAULT 0,
    ask_at_ms INTEGER,
    failures INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS links_pending ON links (grown_at_ms) WHERE tail > acked`,
  `CREATE INDEX IF NOT EXISTS links_to_ask ON links (ask_at_ms) WHERE ask_at_ms IS NOT NULL`,
];

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
  /** What a webhook was told: streams and their tails. */
  readonly snapshot: readonly (readonly [path: string, tail: string])[];
}

export interface ConsumerProgress {
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

type Columns = {
  path: string;
  is_explicit: number;
  is_glob: number;
  since_ms: number;
  incarnation: number | null;
  acked: string;
  tail: string;
  ask_at_ms: number | null;
  failures: number;
};

const COLUMNS = "path, is_explicit, is_glob, since_ms, incarnation, acked, tail, ask_at_ms, failures";

export function createConsumerTables(database: Database): void {
  for (const statement of TABLES) database.run(statement);
}

export function dropLinks(database: Database): void {
  database.run("DELETE FROM links");
}

/** @returns the subscription as JSON, and the progress; `undefined`: there never was such a subscription. */
export function readConsumer(database: Database): { subscription: string; progress: ConsumerProgress } | undefined {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'consumer'";
  if (firstRow(database, table) === undefined) return undefined;
  const sql = "SELECT facts, progress FROM consumer WHERE id = 1";
  const row = firstRow<{ facts: string; progress: string }>(database, sql);
  return row && { subscription: row.facts, progress: JSON.parse(row.progress) as ConsumerProgress };
}

export function writeConsumer(database: Database, subscription: string, progress: ConsumerProgress): void {
  const sql = "INSERT OR REPLACE INTO consumer (id, facts, progress) VALUES (1, ?, ?)";
  database.run(sql, subscription, JSON.stringify(progress));
}

export function writeProgress(database: Database, progress: ConsumerProgress): void {
  database.run("UPDATE consumer SET progress = ? WHERE id = 1", JSON.stringify(progress));
}

export function readLink(database: Database, path: string): LinkRow | undefined {
  const row = firstRow<Columns>(database, `SELECT ${COLUMNS} FROM links WHERE path = ?`, path);
  return row && toLink(row);
}

export function writeLink(database: Database, row: LinkRow, grownAtMs: number): void {
  database.run(
    `INSERT OR REPLACE INTO links (${COLUMNS}, grown_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
  database.run("UPDATE links SET tail = ?, grown_at_ms = ? WHERE path = ?", tail, nowMs, path);
}

/** Never backwards. */
export function updateAcked(database: Database, path: string, acked: string): void {
  database.run("UPDATE links SET acked = max(acked, ?) WHERE path = ?", acked, path);
}

export function updateAsk(
  database: Database,
  path: string,
  { askAtMs, failures }: Pick<LinkRow, "askAtMs" | "failures">,
): void {
  database.run("UPDATE links SET ask_at_ms = ?, failures = ? WHERE path = ?", askAtMs, failures, path);
}

export function deleteLink(database: Database, path: string): void {
  database.run("DELETE FROM links WHERE path = ?", path);
}

/** Links that are kept for acknowledgements under way only. */
export function deleteOrphans(database: Database): void {
  database.run("DELETE FROM links WHERE is_explicit = 0 AND is_glob = 0");
}

export function countLinks(database: Database): number {
  return firstRow<{ links: number }>(database, "SELECT count(*) AS links FROM links")?.links ?? 0;
}

/** The streams with something new, and the others after them, each in the order of names. */
export function linksByNeed(database: Database, limit: number): LinkRow[] {
  const pending = `SELECT ${COLUMNS} FROM links WHERE tail > acked ORDER BY path LIMIT ?`;
  const first = database.all<Columns>(pending, limit);
  const others = `SELECT ${COLUMNS} FROM links WHERE tail <= acked AND (is_explicit = 1 OR is_glob = 1)
                  ORDER BY path LIMIT ?`;
  return [...first, ...database.all<Columns>(others, limit - first.length)].map(toLink);
}

/** The streams that were named. */
export function explicitPaths(database: Database, limit: number): string[] {
  const sql = "SELECT path FROM links WHERE is_explicit = 1 ORDER BY path LIMIT ?";
  return database.all<{ path: string }>(sql, limit).map(({ path }) => path);
}

/** The stream that has had something new for the longest time. */
export function firstPending(database: Database): string | undefined {
  const sql = "SELECT path FROM links WHERE tail > acked ORDER BY grown_at_ms LIMIT 1";
  return firstRow<{ path: string }>(database, sql)?.path;
}

/** Links whose stream is to be asked by an instant. */
export function linksToAsk(database: Database, nowMs: number, limit: number): LinkRow[] {
  const sql = `SELECT ${COLUMNS} FROM links WHERE ask_at_ms IS NOT NULL AND ask_at_ms <= ? ORDER BY ask_at_ms LIMIT ?`;
  return database.all<Columns>(sql, nowMs, limit).map(toLink);
}

/** When the first of them is to be asked, in ms. */
export function nextAskMs(database: Database): number | undefined {
  const sql = "SELECT ask_at_ms FROM links WHERE ask_at_ms IS NOT NULL ORDER BY ask_at_ms LIMIT 1";
  return firstRow<{ ask_at_ms: number }>(database, sql)?.ask_at_ms;
}

/** Links whose streams have grown last. */
export function linksGrownLast(database: Database, limit: number): LinkRow[] {
  const sql = `SELECT ${COLUMNS} FROM links WHERE incarnation IS NOT NULL ORDER BY grown_at_ms DESC LIMIT ?`;
  return database.all<Columns>(sql, limit).map(toLink);
}

export function viewOfLink({ path, isExplicit, acked, tail }: LinkRow): LinkView {
  return { path, linkType: isExplicit ? "explicit" : "glob", acked, tail };
}

function toLink(row: Columns): LinkRow {
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
