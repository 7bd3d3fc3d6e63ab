/**
 * Table `registry_events`, in a project's object: changes of its directory that its stream `__registry__` has not been
 * told yet, one row each, numbered without a gap within an epoch. The newest row stays, told, for the next number.
 *
 * Table `registry_retelling`: one row while a new registry is being told of all streams that there are; `after`: the last of
 * them that it was.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, onlyRow, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const registryEventsTable = table({
  kind: "project",
  name: "registry_events",
  columns: {
    epoch: integer(),
    seq: integer(),
    name: text(),
    content_type: nullable(text()),
    at_ms: integer(),
    told: integer(),
  },
  key: ["epoch", "seq"],
});

export const registryResendTable = table({
  kind: "project",
  name: "registry_retelling",
  columns: { id: onlyRow(), after: text() },
  key: ["id"],
});

const INSERT = registryEventsTable.insert(["epoch", "seq", "name", "content_type", "at_ms", "told"]);
const UNSENT = registryEventsTable.select(["epoch", "seq", "name", "content_type", "at_ms"], {
  where: "told = 0",
  orderBy: "epoch, seq",
  limit: "?",
});
const COUNT_UNSENT = registryEventsTable.compute<{ events: number }>("count(*) AS events", { where: "told = 0" });
const DELETE_BEFORE = registryEventsTable.delete("(epoch, seq) < (?, ?)");
const MARK_SENT = registryEventsTable.update("told = 1", "epoch = ? AND seq = ?");
const DELETE_ALL = registryEventsTable.delete();
const NEWEST = registryEventsTable.select(["epoch", "seq"], { orderBy: "epoch DESC, seq DESC", limit: "1" });

const REPLACE_RESEND = registryResendTable.replace(["id", "after"]);
const READ_RESEND = registryResendTable.select(["after"], { where: "id = 1" });
const DELETE_RESEND = registryResendTable.delete();

/** A stream was created, or has ended. */
export interface RegistryEvent {
  readonly name: string;
  /** `null`: it has ended. */
  readonly contentType: string | null;
  readonly atMs: number;
}

/** With its sequence number as a producer's append. */
export interface NumberedEvent extends RegistryEvent {
  readonly epoch: number;
  readonly seq: number;
}

/** Stores an event, in the transaction of the change that it records. */
export function insertEvent(database: Database, { name, contentType, atMs }: RegistryEvent): void {
  const newest = newestOf(database);
  insert(database, { epoch: newest?.epoch ?? 0, seq: (newest?.seq ?? -1) + 1, name, contentType, atMs }, 0);
}

/** The oldest events that were not sent. */
export function readUnsent(database: Database, limit: number): NumberedEvent[] {
  if (!database.tables.has(registryEventsTable)) return [];
  return database
    .all(UNSENT, limit)
    .map(({ content_type, at_ms, ...row }) => ({ ...row, contentType: content_type, atMs: at_ms }));
}

export function countUnsent(database: Database): number {
  if (!database.tables.has(registryEventsTable)) return 0;
  return firstRow(database, COUNT_UNSENT)?.events ?? 0;
}

/** Marks this event, and all before it, as sent. */
export function markSent(database: Database, { epoch, seq }: NumberedEvent): void {
  database.transaction(() => {
    database.run(DELETE_BEFORE, epoch, seq);
    database.run(MARK_SENT, epoch, seq);
  });
}

/** Whether there may be a `__registry__` stream. */
export function hasRegistry(database: Database): boolean {
  return (newestOf(database)?.seq ?? -1) >= 0;
}

/**
 * Forgets what was not sent. A `__registry__` that is created later begins with a new epoch.
 * @param isResent whether it is to get all streams that exist.
 */
export function startOver(database: Database, isResent: boolean): void {
  const newest = newestOf(database);
  if (newest === undefined || newest.seq < 0) return;
  database.transaction(() => {
    database.run(DELETE_ALL);
    if (isResent) writeRegistryResend(database, "");
    else if (readRegistryResend(database) !== undefined) endRegistryResend(database);
    insert(database, { epoch: newest.epoch + 1, seq: -1, name: "", contentType: null, atMs: 0 }, 1);
  });
}

/** Records that the registry must still get all streams after one, in the caller's transaction. */
export function writeRegistryResend(database: Database, after: string): void {
  database.tables.create(registryResendTable);
  database.run(REPLACE_RESEND, 1, after);
}

/** The last stream that was sent again; `undefined` when none is left. */
export function readRegistryResend(database: Database): string | undefined {
  if (!database.tables.has(registryResendTable)) return undefined;
  return firstRow(database, READ_RESEND)?.after;
}

export function endRegistryResend(database: Database): void {
  database.run(DELETE_RESEND);
}

function insert(database: Database, event: NumberedEvent, told: 0 | 1): void {
  database.tables.create(registryEventsTable);
  const { epoch, seq, name, contentType, atMs } = event;
  database.run(INSERT, epoch, seq, name, contentType, atMs, told);
}

function newestOf(database: Database): { epoch: number; seq: number } | undefined {
  if (!database.tables.has(registryEventsTable)) return undefined;
  return firstRow(database, NEWEST);
}
