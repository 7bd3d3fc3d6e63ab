/**
 * One database for all objects of all kinds, as a host on one machine has it: each row begins with its object's id, each
 * statement is prepared once for all objects, and one row says which tables an object has.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";

import { SCHEMAS } from "../src/data-version.ts";
import type { Tables } from "../src/kit/database.ts";
import { partitionOf } from "../src/kit/sql/ddl.ts";
import { tablesOf, type Schema } from "../src/kit/sql/schema.ts";
import { prepareSharedTables } from "../src/kit/sql/shared-tables.ts";
import type { Query, Statement } from "../src/kit/sql/statement.ts";
import type { AnyTable } from "../src/kit/sql/table.ts";
import type { Row, SqlValue } from "../src/kit/sql/value.ts";
import { inTransaction, toInput, toRow } from "./sqlite.ts";

/** Enough that most tests have all their objects in one database, and few enough that memory is not full of old ones. */
const OBJECTS_PER_DATABASE = 200;

export class SharedDatabase {
  readonly sqlite = new DatabaseSync(":memory:");
  readonly #prepared = new Map<Query, StatementSync>();
  readonly totalChanges = this.sqlite.prepare("SELECT total_changes() AS total");
  readonly readTables: StatementSync;
  readonly writeTables: StatementSync;
  objects = 0;

  constructor() {
    this.sqlite.exec("CREATE TABLE objects (o INTEGER PRIMARY KEY, tables TEXT NOT NULL)");
    prepareSharedTables(this, SCHEMAS);
    this.readTables = this.sqlite.prepare("SELECT tables FROM objects WHERE o = ?");
    this.writeTables = this.sqlite.prepare("INSERT OR REPLACE INTO objects (o, tables) VALUES (?, ?)");
  }

  exec<R extends Row>(text: string, ...params: SqlValue[]): R[] {
    return this.sqlite
      .prepare(text)
      .all(...params.map(toInput))
      .map(toRow) as R[];
  }

  transaction<T>(work: () => T): T {
    return inTransaction(this.sqlite, work);
  }

  prepare(query: Query): StatementSync {
    let prepared = this.#prepared.get(query);
    if (prepared === undefined) this.#prepared.set(query, (prepared = this.sqlite.prepare(query.sharedText)));
    return prepared;
  }
}

let current = new SharedDatabase();

/** What one object sees of the database. */
export class SharedEngine {
  readonly #shared: SharedDatabase;
  readonly #schema: Schema;
  readonly #id: number;

  constructor(shared: SharedDatabase, schema: Schema) {
    this.#shared = shared;
    this.#schema = schema;
    this.#id = shared.objects += 1;
  }

  /** Of a new object. */
  static forObject(schema: Schema): SharedEngine {
    if (current.objects >= OBJECTS_PER_DATABASE) current = new SharedDatabase();
    return new SharedEngine(current, schema);
  }

  execute(statement: Statement, params: readonly SqlValue[]): { readonly rows: Row[]; readonly written: number } {
    const { totalChanges } = this.#shared;
    const before = Number(totalChanges.get()?.["total"]);
    const named = this.#named(statement);
    const rows = this.#shared
      .prepare(this.#ofOwnTable(statement))
      .all(named, ...params.map(toInput))
      .map(toRow);
    return { rows, written: Number(totalChanges.get()?.["total"]) - before };
  }

  planOf(statement: Statement, params: readonly SqlValue[]): string[] {
    const plan = this.#shared.sqlite.prepare(`EXPLAIN QUERY PLAN ${statement.query.sharedText}`);
    return plan.all(this.#named(statement), ...params.map(toInput)).map(({ detail }) => String(detail));
  }

  transaction<T>(work: () => T): T {
    return this.#shared.transaction(work);
  }

  tableNames(): string[] {
    return this.#names().toSorted();
  }

  wipe(): void {
    for (const table of tablesOf(this.#schema)) this.#deleteRows(table);
    this.#write([]);
  }

  /** The schema is brought up to date for all objects at once, when the server starts. */
  readonly tables: Tables = {
    upgrade: () => {
      const { together } = this.#schema;
      const isEmpty =
        together.length > 0 ? !together.some((table) => this.tables.has(table)) : this.#names().length === 0;
      return isEmpty ? "empty" : "current";
    },
    has: (table) => this.#names().some((name) => partitionOf(table, name) !== undefined),
    create: (...tables) => this.#add(...tables.map((table) => this.#known(table).nameIn("object"))),
    drop: (...tables) => {
      for (const table of tables) this.#deleteRows(table);
      this.#write(this.#names().filter((name) => tables.every((table) => partitionOf(table, name) === undefined)));
    },
    partitions: (table) =>
      this.#names()
        .flatMap((name) => partitionOf(table, name) ?? [])
        .toSorted((a, b) => a - b),
    createPartition: (table, partition) => this.#add(this.#known(table).nameIn("object", partition)),
    dropPartition: (table, partition) => {
      const dropped = this.#known(table).nameIn("object", partition);
      this.#write(this.#names().filter((name) => name !== dropped));
      const text = `DELETE FROM ${table.nameIn("shared")} WHERE o = ? AND ${table.partition} = ?`;
      this.#shared.sqlite.prepare(text).run(this.#id, partition);
    },
  };

  /** As they are called in an object's own database. */
  #names(): string[] {
    const row = this.#shared.readTables.get(this.#id);
    return row === undefined ? [] : (JSON.parse(String(row["tables"])) as string[]);
  }

  #add(...names: readonly string[]): void {
    this.#write([...new Set([...this.#names(), ...names])]);
  }

  #write(names: readonly string[]): void {
    this.#shared.writeTables.run(this.#id, JSON.stringify(names));
  }

  #deleteRows(table: AnyTable): void {
    this.#shared.sqlite.prepare(`DELETE FROM ${table.nameIn("shared")} WHERE o = ?`).run(this.#id);
  }

  #known<T extends AnyTable>(table: T): T {
    if (tablesOf(this.#schema).includes(table)) return table;
    throw new Error(`An object of the kind ${this.#schema.kind} has no table ${table.name}.`);
  }

  /** An object that lacks the table would fail in a database of its own: here it would read nothing, silently. */
  #ofOwnTable({ query, partition }: Statement): Query {
    const { kind, name } = query.table;
    const table = partition === 0 ? name : `${name}_${partition}`;
    if (kind !== this.#schema.kind || !this.#names().includes(table)) {
      throw new Error(`no such table: ${table} (of a ${this.#schema.kind})`);
    }
    return query;
  }

  #named({ query, partition }: Statement): Record<string, number> {
    return query.table.partition === undefined ? { o: this.#id } : { o: this.#id, partition };
  }
}
