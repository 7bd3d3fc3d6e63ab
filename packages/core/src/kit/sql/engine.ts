/** The port to SQLite below the declared tables: runs statements as text, for whatever creates or upgrades tables. */

import type { Row, SqlValue } from "./value.ts";

/** SQLite itself, for what no statement of a declared table does. */
export interface Engine {
  /** Runs any statement, and returns its rows. */
  exec<R extends Row>(text: string, ...params: SqlValue[]): R[];
  transaction<T>(work: () => T extends Promise<unknown> ? never : T): T;
}
