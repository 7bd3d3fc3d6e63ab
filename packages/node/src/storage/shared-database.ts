/**
 * One SQLite database for the objects of all kinds. Each row begins with its object's id, each statement is prepared once for
 * all objects, and the writes of many objects share a transaction (`commit-loop.ts`). Nothing else in this process may open the
 * database file: closing it would drop SQLite's locks.
 */

import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";

import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import type { Engine } from "@durable-streams-cloudflare/core/kit/sql/engine";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { prepareSharedTables } from "@durable-streams-cloudflare/core/kit/sql/shared-tables";
import type { Query } from "@durable-streams-cloudflare/core/kit/sql/statement";
import type { Row, SqlValue } from "@durable-streams-cloudflare/core/kit/sql/value";

import { setAlarmsAside } from "./alarms-aside.ts";
import type { Committed } from "./commit-loop.ts";
import { ONLY, refusePlace, type Place } from "./modes/layout.ts";
import { explainDamage } from "./open-error.ts";

/**
 * `tables`: JSON, the names of the tables that an object has. `alarms`: when an object's alarm fires, in ms. `alarms_aside`:
 * the same, of objects whose module the server does not have. `layout`: which of the directory's databases this is (one row).
 */
const OWN_TABLES = [
  `CREATE TABLE IF NOT EXISTS objects (
    o INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    tables TEXT NOT NULL,
    UNIQUE (kind, name)
  )`,
  `CREATE TABLE IF NOT EXISTS alarms (o INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)`,
  `CREATE INDEX IF NOT EXISTS alarms_by_time ON alarms (at_ms)`,
  `CREATE TABLE IF NOT EXISTS alarms_aside (o INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS layout (shard INTEGER NOT NULL, shards INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS registry (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
];

const PAGE_BYTES = 4_096;
/** For all databases of a server. The whole log is read back from cold segments; what is hot is small. */
const CACHE_KIB = 64 * 1024;

/** How a shared database is opened. */
export interface SharedDatabaseOptions {
  /** The path of the database file, or `:memory:`. */
  readonly path: string;
  /** Whether COMMIT itself waits for the disk (`synchronous=FULL` instead of `NORMAL`). */
  readonly isFull: boolean;
  /** Which of the databases of its directory it is. By default the only one. */
  readonly place?: Place;
  /** The tables of modules' objects. */
  readonly moduleSchemas?: readonly Schema[] | undefined;
  /** Resolves when everything committed is durable. */
  readonly sync: () => Promise<void>;
}

/** The one connection of the main thread to the shared database. */
export class SharedDatabase implements Committed {
  readonly sqlite: DatabaseSync;
  /** Pages that the write-ahead log still held: there are none after an orderly end. */
  readonly pagesFound: number;
  readonly #sync: () => Promise<void>;
  readonly #prepared = new Map<Query, StatementSync>();
  readonly #texts = new Map<string, StatementSync>();

  /** @throws StorageError when it belongs elsewhere. @throws Error when a newer server has written it. */
  constructor({ path, isFull, place = ONLY, moduleSchemas = [], sync }: SharedDatabaseOptions) {
    this.#sync = sync;
    this.sqlite = new DatabaseSync(path);
    try {
      this.#configure(isFull, place);
      this.pagesFound = Math.max(0, Number(this.sqlite.prepare("PRAGMA wal_checkpoint(NOOP)").get()?.["log"]));
      this.#createTables(path, place, [...SCHEMAS, ...moduleSchemas]);
    } catch (error) {
      // Closing undoes what was begun.
      this.sqlite.close();
      throw explainDamage(path, error);
    }
  }

  #configure(isFull: boolean, place: Place): void {
    this.sqlite.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    this.sqlite.exec("PRAGMA journal_mode = WAL");
    // Never OFF: a checkpoint would then write pages whose log is not durable.
    this.sqlite.exec(`PRAGMA synchronous = ${isFull ? "FULL" : "NORMAL"}`);
    // Checkpoints are made elsewhere (`checkpointer.ts`): in here they would stall everything.
    this.sqlite.exec("PRAGMA wal_autocheckpoint = 0");
    this.sqlite.exec(`PRAGMA cache_size = -${Math.ceil(CACHE_KIB / place.shards)}`);
    // What a transaction needs to be rolled back must neither wait for a free descriptor nor for space in /tmp.
    this.sqlite.exec("PRAGMA temp_store = MEMORY");
  }

  /**
   * Runs a statement on a declared table and returns all resulting rows.
   * @param named the named parameters, which say whose rows are meant.
   * @param params the positional parameters.
   */
  all(query: Query, named: Record<string, number>, params: readonly SqlValue[]): Row[] {
    return this.#preparedFor(query)
      .all(named, ...params.map(toInput))
      .map(toRow);
  }

  run(query: Query, named: Record<string, number>, params: readonly SqlValue[]): void {
    this.#preparedFor(query).run(named, ...params.map(toInput));
  }

  /**
   * Returns a prepared statement on the host's own tables, or on rows of all objects. Statements are kept forever, so there
   * must be only a few different texts.
   */
  text(text: string): StatementSync {
    let prepared = this.#texts.get(text);
    if (prepared === undefined) this.#texts.set(text, (prepared = this.sqlite.prepare(text)));
    return prepared;
  }

  get isInTransaction(): boolean {
    return this.sqlite.isTransaction;
  }

  begin(): void {
    this.text("BEGIN IMMEDIATE").run();
  }

  commit(): void {
    this.text("COMMIT").run();
  }

  abandon(): void {
    if (this.sqlite.isTransaction) this.sqlite.exec("ROLLBACK");
  }

  sync(): Promise<void> {
    return this.#sync();
  }

  close(): void {
    this.sqlite.close();
  }

  /** Also brings tables of an older server up to date. @throws Error when a newer server has written them. */
  #createTables(path: string, place: Place, schemas: readonly Schema[]): void {
    const engine: Engine = {
      exec: <R extends Row>(text: string, ...params: SqlValue[]) =>
        this.sqlite
          .prepare(text)
          .all(...params.map(toInput))
          .map(toRow) as R[],
      transaction: (work) => work(),
    };
    this.sqlite.exec("BEGIN IMMEDIATE");
    for (const statement of OWN_TABLES) this.sqlite.exec(statement);
    this.#claimPlace(path, place);
    prepareSharedTables(engine, schemas);
    setAlarmsAside(engine, new Set(schemas.map(({ kind }) => kind)));
    this.sqlite.exec("COMMIT");
  }

  #claimPlace(path: string, place: Place): void {
    const { shard, shards } = place;
    const row = this.sqlite.prepare("SELECT shard, shards FROM layout").get();
    if (row !== undefined) {
      const found = { shard: Number(row["shard"]), shards: Number(row["shards"]) };
      if (found.shard !== shard || found.shards !== shards) throw refusePlace(path, place, found);
      return;
    }
    // The database of a server that knew no others says nothing.
    if (shards > 1 && this.hasObjects) throw refusePlace(path, place, undefined);
    this.sqlite.prepare("INSERT INTO layout (shard, shards) VALUES (?, ?)").run(shard, shards);
  }

  /** Whether any object has stored something. */
  get hasObjects(): boolean {
    return this.sqlite.prepare("SELECT 1 FROM objects LIMIT 1").get() !== undefined;
  }

  #preparedFor(query: Query): StatementSync {
    let prepared = this.#prepared.get(query);
    if (prepared === undefined) this.#prepared.set(query, (prepared = this.sqlite.prepare(query.sharedText)));
    return prepared;
  }
}

function toInput(value: SqlValue): SQLInputValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

function toRow(row: Record<string, SQLOutputValue>): Row {
  for (const name of Object.keys(row)) {
    const value = row[name];
    if (value instanceof Uint8Array) (row as Row)[name] = bufferOf(value);
    else if (typeof value === "bigint") throw new Error("SQLite returned an integer that no number holds.");
  }
  return row as Row;
}

/** Blobs come in a buffer of their own; a view of a larger one must not show what lies beside it. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): ArrayBuffer {
  if (byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) return buffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
