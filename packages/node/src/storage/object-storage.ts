/** The stored data of one object: its rows in the shared database, the list of its tables, and its alarm. */

import type { Database, Tables } from "@durable-streams-cloudflare/core/kit/database";
import { partitionOf } from "@durable-streams-cloudflare/core/kit/sql/ddl";
import { tablesOf, type Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Statement } from "@durable-streams-cloudflare/core/kit/sql/statement";
import type { AnyTable } from "@durable-streams-cloudflare/core/kit/sql/table";
import type { Row, SqlValue } from "@durable-streams-cloudflare/core/kit/sql/value";

import { DURABLE, type Commit } from "./commit.ts";
import type { Store } from "./store.ts";
import { WriteLostError } from "./write-lost-error.ts";

/** The row of an object that has stored something. */
interface Stored {
  readonly id: number;
  /** As they are called in a database of one object. */
  readonly tables: ReadonlySet<string>;
}

/** One object's `Database`. It also knows which commit must be durable before the object's answers may leave. */
export class ObjectStorage implements Database {
  readonly #store: Store;
  readonly #schema: Schema;
  readonly #name: string;
  /** `undefined`: the object has stored nothing. */
  #stored: Stored | undefined;
  #written = DURABLE;
  /** The turn of the event loop in which it was synced last. */
  #syncedIn: number | undefined;
  #depth = 0;
  /** The server has dropped this instance: another one reads what is stored. */
  #isOver = false;
  #isLost = false;

  constructor(store: Store, schema: Schema, name: string) {
    this.#store = store;
    this.#schema = schema;
    this.#name = name;
    this.#stored = this.#read();
  }

  get id(): number | undefined {
    return this.#stored?.id;
  }

  /** The newest commit that contains a write of the object. */
  get written(): Commit {
    return this.#written;
  }

  /** Whether everything that the instance has written is durable, so that what it knows may leave it now. */
  get isDurable(): boolean {
    return !this.#isOver && this.#written.isDurable;
  }

  /**
   * Resolves when everything that the object has written so far is durable.
   * @throws WriteLostError if any of it was lost.
   */
  async sync(): Promise<void> {
    this.#assertCurrent();
    await this.#sharedTurn();
    try {
      await this.#written.durable();
    } catch (error) {
      throw new WriteLostError(error);
    }
    this.#assertCurrent();
  }

  /** What to wait for so that further writes of this turn share a commit, if anything. */
  #sharedTurn(): Promise<void> | undefined {
    const { turns } = this.#store;
    if (turns === undefined) return undefined;
    const { number } = turns;
    const isShared = this.#syncedIn === number;
    this.#syncedIn = isShared ? number + 1 : number;
    return isShared ? turns.end() : undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the instance's use of the storage: from now on, each read and each write throws `WriteLostError`. */
  end(): void {
    this.#isOver = true;
  }

  /** Whether something that the instance has written is lost, so that what it knows may be ahead of what is stored. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Ends it because something that the instance has written is lost. */
  lose(): void {
    this.#isLost = true;
    this.end();
  }

  all<R extends Row, P extends readonly SqlValue[]>(statement: Statement<R, P>, ...params: P): R[] {
    const { query } = statement;
    const named = this.#named(statement);
    return this.#store.guarded(() => this.#store.database.all(query, named, params) as R[]);
  }

  run<P extends readonly SqlValue[]>(statement: Statement<Row, P>, ...params: P): void {
    const named = this.#named(statement);
    this.#write();
    this.#store.guarded(() => this.#store.database.run(statement.query, named, params));
  }

  transaction<T>(work: () => T extends Promise<unknown> ? never : T): T {
    this.#write();
    const store = this.#store;
    const { database } = store;
    const before = this.#stored;
    const name = `s${this.#depth}`;
    store.guarded(() => database.text(`SAVEPOINT ${name}`).run());
    this.#depth += 1;
    try {
      return store.guarded(() => {
        const result = work();
        database.text(`RELEASE ${name}`).run();
        return result;
      });
    } catch (error) {
      this.#stored = before;
      // A full disk undoes the whole transaction, of all objects, and no savepoint is left: `guarded` has dealt with it.
      if (database.isInTransaction) {
        database.text(`ROLLBACK TO ${name}`).run();
        database.text(`RELEASE ${name}`).run();
      }
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  readonly tables: Tables = {
    // The tables of all objects are brought up to date when the server starts.
    upgrade: () => (this.#isEmpty() ? "empty" : "current"),
    has: (table) => [...this.#names()].some((name) => partitionOf(table, name) !== undefined),
    create: (...tables) => this.#add(tables.map((table) => this.#known(table).nameIn("object"))),
    drop: (...tables) => {
      for (const table of tables) this.#deleteRows(table);
      this.#keep((name) => tables.every((table) => partitionOf(table, name) === undefined));
    },
    partitions: (table) =>
      [...this.#names()].flatMap((name) => partitionOf(table, name) ?? []).toSorted((a, b) => a - b),
    createPartition: (table, partition) => this.#add([this.#known(table).nameIn("object", partition)]),
    dropPartition: (table, partition) => {
      const dropped = this.#known(table).nameIn("object", partition);
      this.#keep((name) => name !== dropped);
      const text = `DELETE FROM ${table.nameIn("shared")} WHERE o = ? AND ${table.partition} = ?`;
      this.#runText(text, this.#ownId(), partition);
    },
  };

  /** Deletes all rows of the object and its alarm. */
  purge(): void {
    const id = this.#stored?.id;
    if (id === undefined) return;
    this.transaction(() => {
      for (const table of tablesOf(this.#schema)) this.#deleteRows(table);
      this.clearAlarm();
      this.#runText("DELETE FROM objects WHERE o = ?", id);
      this.#stored = undefined;
    });
  }

  setAlarm(atMs: number): void {
    const id = this.#ownId();
    this.#runText("INSERT OR REPLACE INTO alarms (o, at_ms) VALUES (?, ?)", id, Math.ceil(atMs));
    this.#store.alarms.expect(id, atMs);
  }

  clearAlarm(): void {
    if (this.#stored !== undefined) this.#runText("DELETE FROM alarms WHERE o = ?", this.#stored.id);
  }

  #isEmpty(): boolean {
    const { together } = this.#schema;
    return together.length === 0 ? this.#names().size === 0 : !together.some((table) => this.tables.has(table));
  }

  #names(): ReadonlySet<string> {
    return this.#stored?.tables ?? NO_TABLES;
  }

  #add(names: readonly string[]): void {
    this.#writeTables(new Set([...this.#names(), ...names]));
  }

  #keep(isKept: (name: string) => boolean): void {
    if (this.#stored !== undefined) this.#writeTables(new Set([...this.#names()].filter(isKept)));
  }

  #writeTables(tables: ReadonlySet<string>): void {
    const id = this.#ownId();
    this.#runText("UPDATE objects SET tables = ? WHERE o = ?", JSON.stringify([...tables]), id);
    this.#stored = { id, tables };
  }

  /** Of an object that stores something for the first time, a new one. */
  #ownId(): number {
    if (this.#stored !== undefined) return this.#stored.id;
    this.#runText("INSERT INTO objects (kind, name, tables) VALUES (?, ?, '[]')", this.#schema.kind, this.#name);
    const stored = this.#read();
    if (stored === undefined) throw new Error(`The object ${this.#schema.kind} ${this.#name} was not stored.`);
    this.#stored = stored;
    return stored.id;
  }

  #read(): Stored | undefined {
    const text = "SELECT o, tables FROM objects WHERE kind = ? AND name = ?";
    const row = this.#store.database.text(text).get(this.#schema.kind, this.#name);
    if (row === undefined) return undefined;
    return { id: Number(row["o"]), tables: new Set(JSON.parse(String(row["tables"])) as string[]) };
  }

  #deleteRows(table: AnyTable): void {
    if (this.#stored === undefined || !this.tables.has(table)) return;
    this.#runText(`DELETE FROM ${table.nameIn("shared")} WHERE o = ?`, this.#stored.id);
  }

  #runText(text: string, ...params: readonly (string | number)[]): void {
    this.#write();
    this.#store.guarded(() => this.#store.database.text(text).run(...params));
  }

  #write(): void {
    this.#assertCurrent();
    this.#written = this.#store.write(this);
    // The loop may have found just now that what was written before is lost.
    this.#assertCurrent();
  }

  #assertCurrent(): void {
    if (this.#isOver) throw new WriteLostError();
  }

  #known<T extends AnyTable>(table: T): T {
    if (tablesOf(this.#schema).includes(table)) return table;
    throw new Error(`An object of the kind ${this.#schema.kind} has no table ${table.name}.`);
  }

  /** An object that lacks the table would fail in a database of its own: here it would read nothing, in silence. */
  #named({ query, partition }: Statement): Record<string, number> {
    this.#assertCurrent();
    const { kind, name, partition: column } = query.table;
    const table = partition === 0 ? name : `${name}_${partition}`;
    const stored = this.#stored;
    if (stored === undefined || kind !== this.#schema.kind || !stored.tables.has(table)) {
      throw new Error(`The ${this.#schema.kind} ${this.#name} has no table ${table}.`);
    }
    return column === undefined ? { o: stored.id } : { o: stored.id, partition };
  }
}

const NO_TABLES: ReadonlySet<string> = new Set();
