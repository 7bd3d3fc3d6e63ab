/** Copies an object that has a database to itself into the shared database, and compares the copy with the original. */

import type { DatabaseSync } from "node:sqlite";

import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import { partitionOf } from "@durable-streams-cloudflare/core/kit/sql/ddl";
import { tablesOf } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { AnyTable, Kind } from "@durable-streams-cloudflare/core/kit/sql/table";

import { StorageError } from "../storage-error.ts";

/** An object that is stored in a database of its own, with the tables of this version. */
export interface SourceObject {
  readonly kind: Kind;
  readonly name: string;
  /** The path or the `file:` URL of its database. */
  readonly location: string;
  /** When its alarm fires, in ms since the epoch; `undefined`: it has none. */
  readonly alarmAtMs: number | undefined;
}

/** A table of the source, and the declared table that it is, or is a partition of. */
interface Copied {
  readonly name: string;
  readonly table: AnyTable;
  readonly partition: number;
}

/** Tables that the copy does not need: those of workerd, and the version of the tables, which is that of the whole database. */
const NOT_COPIED = /^(?:_cf_\w+|sqlite_\w+|schema_version)$/;

/**
 * Copies an object. No transaction may be open.
 * @returns whether there was anything to copy: an object without tables stores nothing.
 * @throws StorageError if the source has a table that this version does not know, or the copy differs from it.
 */
export function copyObject(sqlite: DatabaseSync, source: SourceObject): boolean {
  sqlite.prepare("ATTACH ? AS source").run(source.location);
  try {
    const tables = tablesIn(sqlite, source);
    if (tables.length === 0) return false;
    sqlite.exec("BEGIN");
    const id = insertObject(sqlite, source, tables);
    for (const table of tables) copyTable(sqlite, id, table);
    sqlite.exec("COMMIT");
    for (const table of tables) compareTable(sqlite, id, table, source);
    return true;
  } finally {
    if (sqlite.isTransaction) sqlite.exec("ROLLBACK");
    sqlite.exec("DETACH source");
  }
}

function tablesIn(sqlite: DatabaseSync, { kind, name: object }: SourceObject): Copied[] {
  const known = SCHEMAS.filter((schema) => schema.kind === kind).flatMap(tablesOf);
  const rows = sqlite.prepare("SELECT name FROM source.sqlite_master WHERE type = 'table'").all();
  return rows.flatMap(({ name: found }): Copied[] => {
    const name = String(found);
    if (NOT_COPIED.test(name)) return [];
    for (const table of known) {
      const partition = partitionOf(table, name);
      if (partition !== undefined) return [{ name, table, partition }];
    }
    throw new StorageError(`The object ${kind} ${object} has a table ${name}, which this version does not know.`, {
      fix: "use the version of durable-streams that wrote the data, or a newer one",
    });
  });
}

function insertObject(
  sqlite: DatabaseSync,
  { kind, name, alarmAtMs }: SourceObject,
  tables: readonly Copied[],
): number {
  const names = JSON.stringify(tables.map((table) => table.name));
  sqlite.prepare("INSERT INTO objects (kind, name, tables) VALUES (?, ?, ?)").run(kind, name, names);
  const id = Number(sqlite.prepare("SELECT o FROM objects WHERE kind = ? AND name = ?").get(kind, name)?.["o"]);
  if (alarmAtMs !== undefined) {
    sqlite.prepare("INSERT INTO alarms (o, at_ms) VALUES (?, ?)").run(id, Math.ceil(alarmAtMs));
  }
  return id;
}

/** Inside of SQLite, so that no value passes through a JavaScript number. In the order of the key, as it was appended. */
function copyTable(sqlite: DatabaseSync, id: number, { name, table, partition }: Copied): void {
  const columns = Object.keys(table.columns).join(", ");
  const owner = table.partition === undefined ? "o" : `o, ${table.partition}`;
  const own = table.partition === undefined ? "?" : "?, ?";
  const text =
    `INSERT INTO main.${table.nameIn("shared")} (${owner}, ${columns}) ` +
    `SELECT ${own}, ${columns} FROM source.${name} ORDER BY ${table.key.join(", ")}`;
  sqlite.prepare(text).run(...ownerOf(id, table, partition));
}

/** @throws StorageError if any value of any row is different, or there is a row too many or too few. */
function compareTable(
  sqlite: DatabaseSync,
  id: number,
  { name, table, partition }: Copied,
  source: SourceObject,
): void {
  const shared = `main.${table.nameIn("shared")}`;
  const own = table.partition === undefined ? "c.o = ?" : `c.o = ? AND c.${table.partition} = ?`;
  const equal = Object.keys(table.columns).map((column) => `c.${column} IS s.${column}`);
  const text =
    `SELECT (SELECT count(*) FROM source.${name}) AS wanted, ` +
    `(SELECT count(*) FROM ${shared} c WHERE ${own}) AS found, ` +
    `(SELECT count(*) FROM source.${name} s JOIN ${shared} c ON ${own} AND ${equal.join(" AND ")}) AS same`;
  const owner = ownerOf(id, table, partition);
  const counts = sqlite.prepare(text).get(...owner, ...owner);
  const [wanted, found, same] = [Number(counts?.["wanted"]), Number(counts?.["found"]), Number(counts?.["same"])];
  if (wanted === found && found === same) return;
  throw new StorageError(
    `The copy of the table ${name} of ${source.kind} ${source.name} differs: ${wanted} rows, ${found} copied, ${same} equal.`,
    { fix: "check the disk, and run the command again" },
  );
}

function ownerOf(id: number, table: AnyTable, partition: number): number[] {
  return table.partition === undefined ? [id] : [id, partition];
}
