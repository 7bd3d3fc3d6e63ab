/**
 * Table `registry_events`, in a project's object: changes of its directory that its stream `__registry__` has not been
 * told yet, one row each, numbered without a gap within an epoch. The newest row stays, told, for the next number.
 *
 * Table `registry_retelling`: one row while a new registry is being told of all streams that there are; `after`: the last of
 * them that it was.
 */

import { firstRow, type Database } from "../../kit/database.ts";

const TABLE = `CREATE TABLE IF NOT EXISTS registry_events (
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  name TEXT NOT NULL,
  content_type TEXT,
  at_ms INTEGER NOT NULL,
  told INTEGER NOT NULL,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID`;

const RESEND_TABLE = `CREATE TABLE IF NOT EXISTS registry_retelling (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  after TEXT NOT NULL
)`;

/** A stream was made, or has ended. */
export interface RegistryEvent {
  readonly name: string;
  /** `null`: it has ended. */
  readonly contentType: string | null;
  readonly atMs: number;
}

/** Its number is that of a producer's append. */
export interface NumberedEvent extends RegistryEvent {
  readonly epoch: number;
  readonly seq: number;
}

/** Inside the transaction of what it tells. */
export function insertEvent(database: Database, { name, contentType, atMs }: RegistryEvent): void {
  const newest = newestOf(database);
  insert(database, { epoch: newest?.epoch ?? 0, seq: (newest?.seq ?? -1) + 1, name, contentType, atMs }, 0);
}

/** The oldest that were not told. */
export function readUnsent(database: Database, limit: number): NumberedEvent[] {
  if (!hasTable(database)) return [];
  return database
    .all<{ epoch: number; seq: number; name: string; content_type: string | null; at_ms: number }>(
      "SELECT * FROM registry_events WHERE told = 0 ORDER BY epoch, seq LIMIT ?",
      limit,
    )
    .map(({ content_type, at_ms, ...row }) => ({ ...row, contentType: content_type, atMs: at_ms }));
}

export function countUnsent(database: Database): number {
  if (!hasTable(database)) return 0;
  return (
    firstRow<{ events: number }>(database, "SELECT COUNT(*) AS events FROM registry_events WHERE told = 0")?.events ?? 0
  );
}

/** That one, and all before it. */
export function markSent(database: Database, { epoch, seq }: NumberedEvent): void {
  database.transaction(() => {
    database.run("DELETE FROM registry_events WHERE (epoch, seq) < (?, ?)", epoch, seq);
    database.run("UPDATE registry_events SET told = 1 WHERE epoch = ? AND seq = ?", epoch, seq);
  });
}

/** Whether there may be a `__registry__` stream. */
export function hasRegistry(database: Database): boolean {
  return (newestOf(database)?.seq ?? -1) >= 0;
}

/**
 * Forgets what was not told. A `__registry__` that is made later begins with a new epoch.
 * @param isRetold whether it is to be told of all streams that there are.
 */
export function startOver(database: Database, isRetold: boolean): void {
  const newest = newestOf(database);
  if (newest === undefined || newest.seq < 0) return;
  database.transaction(() => {
    database.run("DELETE FROM registry_events");
    if (isRetold) writeRegistryResend(database, "");
    else if (readRegistryResend(database) !== undefined) endRegistryResend(database);
    insert(database, { epoch: newest.epoch + 1, seq: -1, name: "", contentType: null, atMs: 0 }, 1);
  });
}

/** The registry is to be told of all streams behind one, in the transaction of the caller. */
export function writeRegistryResend(database: Database, after: string): void {
  database.run(RESEND_TABLE);
  database.run("INSERT OR REPLACE INTO registry_retelling (id, after) VALUES (1, ?)", after);
}

/** The last stream that it was told of again; `undefined` when there is none left to tell. */
export function readRegistryResend(database: Database): string | undefined {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'registry_retelling'";
  if (firstRow(database, table) === undefined) return undefined;
  return firstRow<{ after: string }>(database, "SELECT after FROM registry_retelling WHERE id = 1")?.after;
}

export function endRegistryResend(database: Database): void {
  database.run("DELETE FROM registry_retelling");
}

function insert(database: Database, event: NumberedEvent, told: 0 | 1): void {
  database.run(TABLE);
  const { epoch, seq, name, contentType, atMs } = event;
  const into = "INSERT INTO registry_events (epoch, seq, name, content_type, at_ms, told) VALUES (?, ?, ?, ?, ?, ?)";
  database.run(into, epoch, seq, name, contentType, atMs, told);
}

function newestOf(database: Database): { epoch: number; seq: number } | undefined {
  if (!hasTable(database)) return undefined;
  return firstRow(database, "SELECT epoch, seq FROM registry_events ORDER BY epoch DESC, seq DESC LIMIT 1");
}

function hasTable(database: Database): boolean {
  const table = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'registry_events'";
  return firstRow(database, table) !== undefined;
}
