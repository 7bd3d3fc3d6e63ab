import { DatabaseSync, type StatementSync } from "node:sqlite";

import type { Database, Tables } from "../src/kit/database.ts";
import { ObjectTables } from "../src/kit/sql/object-tables.ts";
import type { Schema } from "../src/kit/sql/schema.ts";
import type { Statement } from "../src/kit/sql/statement.ts";
import type { Row, SqlValue } from "../src/kit/sql/value.ts";
import { SharedEngine } from "./shared-engine.ts";
import { inTransaction, toInput, toRow } from "./sqlite.ts";

/** Whether objects share a database. All tests of objects run in both forms. */
export const DATABASE_FORM: "object" | "shared" = process.env["DATABASE_FORM"] === "shared" ? "shared" : "object";

/** SQLite of Node.js as the database of one object of a kind, all in memory. */
export class NodeDatabase implements Database {
  readonly schema: Schema;
  readonly tables: Tables;
  readonly #own: ObjectEngine | SharedEngine;
  readonly #failures: { readonly statement: RegExp; readonly error: Error }[] = [];
  #plans: string[] | undefined;
  /** Rows inserted, updated or deleted by statements since the beginning. */
  rowsWritten = 0;

  constructor(schema: Schema, form = DATABASE_FORM) {
    this.schema = schema;
    this.#own = form === "shared" ? SharedEngine.forObject(schema) : new ObjectEngine(schema);
    this.tables = this.#tablesThatMayFail(this.#own);
  }

  all<R extends Row, P extends readonly SqlValue[]>(statement: Statement<R, P>, ...params: P): R[] {
    this.#failIfTold(statement.text);
    if (this.#plans !== undefined) this.#plans.push(...this.#own.planOf(statement, params));
    const { rows, written } = this.#own.execute(statement, params);
    this.rowsWritten += written;
    return rows as R[];
  }

  run<P extends readonly SqlValue[]>(statement: Statement<Row, P>, ...params: P): void {
    this.all(statement, ...params);
  }

  transaction<T>(work: () => T extends Promise<unknown> ? never : T): T {
    return this.#own.transaction(work);
  }

  /** What the object has, as an object with a database to itself calls its tables. */
  tableNames(): string[] {
    return this.#own.tableNames();
  }

  /** The next statement that matches, in its text for the object form, throws instead of running. */
  failOnce(statement: RegExp, error: Error): void {
    this.#failures.push({ statement, error });
  }

  /** What SQLite means to do for each statement that the work runs: the steps of its query plan. */
  plansOf(work: () => void): string[] {
    this.#plans = [];
    work();
    const plans = this.#plans;
    this.#plans = undefined;
    return plans;
  }

  /** Nothing is stored any more, as after `deleteAll` in an object. */
  wipe(): void {
    this.#own.wipe();
  }

  /** Runs any statement on a database of the object form: as an older server did, or an operator. */
  exec<R extends Row>(text: string, ...params: SqlValue[]): R[] {
    if (this.#own instanceof SharedEngine) throw new Error("Only a database of one object's own runs plain SQL.");
    return this.#own.exec(text, ...params);
  }

  #tablesThatMayFail({ tables }: ObjectEngine | SharedEngine): Tables {
    return {
      upgrade: () => {
        this.#failIfTold("SELECT schema_version");
        return tables.upgrade();
      },
      has: (table) => tables.has(table),
      create: (...created) => {
        for (const { name } of created) this.#failIfTold(`CREATE TABLE ${name}`);
        tables.create(...created);
      },
      drop: (...dropped) => {
        for (const { name } of dropped) this.#failIfTold(`DROP TABLE ${name}`);
        tables.drop(...dropped);
      },
      partitions: (table) => tables.partitions(table),
      createPartition: (table, partition) => {
        this.#failIfTold(`CREATE TABLE ${table.nameIn("object", partition)}`);
        tables.createPartition(table, partition);
      },
      dropPartition: (table, partition) => {
        this.#failIfTold(`DROP TABLE ${table.nameIn("object", partition)}`);
        tables.dropPartition(table, partition);
      },
    };
  }

  /** Whether SQLite understands a statement. @throws Error when it does not. */
  prepare(text: string): void {
    if (this.#own instanceof SharedEngine) throw new Error("Only a database of one object's own runs plain SQL.");
    this.#own.prepare(text);
  }

  #failIfTold(text: string): void {
    const failure = this.#failures.findIndex(({ statement }) => statement.test(text));
    const [fault] = failure < 0 ? [] : this.#failures.splice(failure, 1);
    if (fault !== undefined) throw fault.error;
  }
}

/** A database for one object. */
class ObjectEngine {
  readonly #sqlite = new DatabaseSync(":memory:");
  readonly #prepared = new Map<string, StatementSync>();
  readonly #totalChanges = this.#sqlite.prepare("SELECT total_changes() AS total");
  readonly tables: Tables;

  constructor(schema: Schema) {
    this.tables = new ObjectTables(this, schema);
  }

  execute({ text }: Statement, params: readonly SqlValue[]): { readonly rows: Row[]; readonly written: number } {
    const before = Number(this.#totalChanges.get()?.["total"]);
    const rows = this.exec(text, ...params);
    return { rows, written: Number(this.#totalChanges.get()?.["total"]) - before };
  }

  exec<R extends Row>(text: string, ...params: SqlValue[]): R[] {
    return this.prepare(text)
      .all(...params.map(toInput))
      .map(toRow) as R[];
  }

  prepare(text: string): StatementSync {
    let prepared = this.#prepared.get(text);
    if (prepared === undefined) this.#prepared.set(text, (prepared = this.#sqlite.prepare(text)));
    return prepared;
  }

  planOf({ text }: Statement, params: readonly SqlValue[]): string[] {
    return this.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, ...params).map(({ detail }) => detail);
  }

  transaction<T>(work: () => T): T {
    return inTransaction(this.#sqlite, work);
  }

  wipe(): void {
    for (const name of this.tableNames()) this.exec(`DROP TABLE ${name}`);
  }

  tableNames(): string[] {
    return this.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").map(
      ({ name }) => String(name),
    );
  }
}
