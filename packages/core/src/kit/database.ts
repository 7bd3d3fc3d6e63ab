/**
 * The port to SQLite. A host supplies the engine: a Durable Object's storage, or `node:sqlite`. Everything is synchronous: between two statements nothing else runs.
 */

/** What a column may hold. Blobs come back as `ArrayBuffer`. */
export type SqlValue = string | number | null | ArrayBuffer | Uint8Array<ArrayBuffer>;

export type Row = Record<string, SqlValue>;

export interface Database {
  /** Runs a statement and returns all its rows: bound it in SQL. No cursor is left open, which would lock its table. */
  all<T extends Row>(sql: string, ...params: SqlValue[]): T[];
  /** Runs a statement for its effect. */
  run(sql: string, ...params: SqlValue[]): void;
  /** All or nothing. The callback must not be async: a promise would outlive the transaction. */
  transaction<T>(work: () => T extends Promise<unknown> ? never : T): T;
}

/** The first row, or `undefined`. */
export function firstRow<T extends Row>(database: Database, sql: string, ...params: SqlValue[]): T | undefined {
  return database.all<T>(sql, ...params)[0];
}
