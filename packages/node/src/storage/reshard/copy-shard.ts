/** Copies the objects of one database that belong into another one, with all of their rows, whatever tables these are in. */

import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

import { shardOf, shardPath, type Place } from "../modes/layout.ts";
import { StorageError } from "../storage-error.ts";

/** Tables about the whole database, which have no objects. */
const OF_DATABASE = { layout: "layout", registry: "registry", versions: "schema_versions" } as const;
const SCHEMA = "sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/** A new database, which is worth nothing until it is finished. So nothing of it needs a journal. */
export class NewShard {
  readonly sqlite: DatabaseSync;
  readonly #place: Place;
  #isPrepared = false;

  constructor(directory: string, place: Place) {
    this.#place = place;
    this.sqlite = new DatabaseSync(shardPath(directory, place.shard));
    for (const pragma of ["page_size = 4096", "journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY"]) {
      this.sqlite.exec(`PRAGMA ${pragma}`);
    }
    const belongs = (kind: unknown, name: unknown): number =>
      shardOf(String(kind), String(name), place.shards) === place.shard ? 1 : 0;
    this.sqlite.function("belongs_here", { deterministic: true }, belongs);
  }

  /**
   * Copies what belongs here from a database of the old directory, which is only read.
   * @throws StorageError if its tables are not those of the databases before it.
   */
  copyFrom(path: string): void {
    // A connection that cannot write leaves the log of a server that was killed where it is.
    this.sqlite.prepare("ATTACH ? AS source").run(`${pathToFileURL(path).href}?mode=ro`);
    try {
      this.sqlite.exec("BEGIN");
      if (!this.#isPrepared) this.#createTables();
      this.#isPrepared = true;
      this.#requireSameTables(path);
      this.#copyObjects();
      if (this.#place.shard === 0) this.sqlite.exec(copyOf(OF_DATABASE.registry));
      this.sqlite.exec("DROP TABLE temp.moved; COMMIT");
    } finally {
      if (this.sqlite.isTransaction) this.sqlite.exec("ROLLBACK");
      this.sqlite.exec("DETACH source");
    }
  }

  /** How many rows each table of objects has. */
  count(): ReadonlyMap<string, number> {
    return countRows(this.sqlite);
  }

  /** @throws StorageError if SQLite finds damage. */
  check(): void {
    const found = this.sqlite.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
    if (found === "ok") return;
    throw new StorageError(`The new database is damaged: ${String(found)}`, {
      fix: "check the disk, and run the command again",
    });
  }

  close(): void {
    if (this.sqlite.isOpen) this.sqlite.close();
  }

  /** As they are in the source: the server brings them up to date when it opens the database, as it does with the old one. */
  #createTables(): void {
    const { shard, shards } = this.#place;
    const all = this.sqlite
      .prepare(`SELECT sql FROM source.sqlite_master WHERE ${SCHEMA} ORDER BY type <> 'table'`)
      .all();
    for (const { sql } of all) this.sqlite.exec(String(sql));
    this.sqlite.prepare(`INSERT INTO ${OF_DATABASE.layout} (shard, shards) VALUES (?, ?)`).run(shard, shards);
    this.sqlite.exec(copyOf(OF_DATABASE.versions));
  }

  #requireSameTables(path: string): void {
    const shape = (schema: string): string => {
      const rows = this.sqlite.prepare(`SELECT sql FROM ${schema}.sqlite_master WHERE ${SCHEMA} ORDER BY name`).all();
      const versions = this.sqlite.prepare(`SELECT * FROM ${schema}.${OF_DATABASE.versions} ORDER BY kind`).all();
      return JSON.stringify([rows, versions]);
    };
    if (shape("main") === shape("source")) return;
    throw new StorageError(`${path} has other tables than the first database of its directory.`, {
      fix: "start the server on the directory once, stop it, and run the command again",
    });
  }

  /** Objects get new ids, because each database has counted its own. */
  #copyObjects(): void {
    const newest = Number(this.sqlite.prepare("SELECT max(o) AS o FROM main.objects").get()?.["o"] ?? 0);
    this.sqlite.exec("CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)");
    this.sqlite
      .prepare(
        "INSERT INTO temp.moved SELECT o, ? + row_number() OVER (ORDER BY o) FROM source.objects WHERE belongs_here(kind, name)",
      )
      .run(newest);
    for (const table of tablesOfObjects(this.sqlite)) {
      const columns = columnsOf(this.sqlite, table).filter((column) => column !== "o");
      const [names, values] = [columns.join(", "), columns.map((column) => `s.${column}`).join(", ")];
      // In the order in which the source has them, which is that in which they were appended.
      this.sqlite.exec(
        `INSERT INTO main.${table} (o, ${names}) ` +
          `SELECT m.new, ${values} FROM source.${table} s CROSS JOIN temp.moved m ON m.old = s.o`,
      );
    }
  }
}

/** How many rows each table of objects has in a database, which is only read. */
export function countIn(path: string): ReadonlyMap<string, number> {
  using sqlite = new DatabaseSync(path, { readOnly: true });
  return countRows(sqlite);
}

function countRows(sqlite: DatabaseSync): ReadonlyMap<string, number> {
  const count = (table: string): number => Number(sqlite.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  return new Map([...tablesOfObjects(sqlite), OF_DATABASE.registry].map((table) => [table, count(table)]));
}

/** @throws Error if there is a table of which it is not known whose rows it has. */
function tablesOfObjects(sqlite: DatabaseSync): readonly string[] {
  const rows = sqlite
    .prepare(`SELECT name FROM main.sqlite_master WHERE type = 'table' AND ${SCHEMA} ORDER BY name`)
    .all();
  const tables = rows.map(({ name }) => String(name));
  const others: readonly string[] = Object.values(OF_DATABASE);
  const unknown = tables.find((table) => !others.includes(table) && !columnsOf(sqlite, table).includes("o"));
  if (unknown !== undefined) throw new Error(`The table ${unknown} belongs to no object.`);
  return tables.filter((table) => !others.includes(table));
}

function columnsOf(sqlite: DatabaseSync, table: string): readonly string[] {
  return sqlite
    .prepare("SELECT name FROM pragma_table_info(?, 'main')")
    .all(table)
    .map(({ name }) => String(name));
}

function copyOf(table: string): string {
  return `INSERT INTO main.${table} SELECT * FROM source.${table}`;
}
