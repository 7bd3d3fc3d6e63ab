/**
 * The port to SQLite. A host supplies the engine: a Durable Object's storage, or `node:sqlite`. Everything is synchronous, so
 * nothing else runs between two statements. Statements are made from declared tables (`sql/table.ts`), and each host runs them
 * in its own form.
 */

import type { Statement } from "./sql/statement.ts";
import type { AnyTable, PartitionedTable } from "./sql/table.ts";
import type { Row, SqlValue } from "./sql/value.ts";

/** The stored data of one object, which never sees a row of another. */
export interface Database {
  /** Runs a statement and returns all its rows: bound it in SQL. No cursor is left open, which would lock its table. */
  all<R extends Row, P extends readonly SqlValue[]>(statement: Statement<R, P>, ...params: P): R[];
  /** Runs a statement for its effect. */
  run<P extends readonly SqlValue[]>(statement: Statement<Row, P>, ...params: P): void;
  /** All or nothing. The callback must not be async: a promise would outlive the transaction. */
  transaction<T>(work: () => T extends Promise<unknown> ? never : T): T;
  readonly tables: Tables;
}

/** The tables that an object has. An object that stores nothing has none. */
export interface Tables {
  /**
   * Brings tables of an older server up to date.
   * @returns `empty` where nothing is stored.
   * @throws Error when a newer server has written them: this one could damage them.
   */
  upgrade(): "empty" | "current" | "upgraded";
  has(table: AnyTable): boolean;
  /** Makes them where there are none yet. */
  create(...tables: readonly AnyTable[]): void;
  /** Drops them, and all their rows, where there are any. */
  drop(...tables: readonly AnyTable[]): void;
  /** In their order. Partition 0 is made by `create`. */
  partitions(table: PartitionedTable): number[];
  createPartition(table: PartitionedTable, partition: number): void;
  dropPartition(table: PartitionedTable, partition: number): void;
}

/** The first row, or `undefined`. */
export function firstRow<R extends Row, P extends readonly SqlValue[]>(
  database: Database,
  statement: Statement<R, P>,
  ...params: P
): R | undefined {
  return database.all(statement, ...params)[0];
}
