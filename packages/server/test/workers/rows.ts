import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Statement } from "@durable-streams-cloudflare/core/kit/sql/statement";
import type { Row, SqlValue } from "@durable-streams-cloudflare/core/kit/sql/value";

import { objectDatabase } from "../../src/bindings/object-database.ts";
import { inObject, type Edge } from "./edge.ts";

/** What one object has written, as the platform bills it. */
export interface RowCount {
  /** Rows written since the last look. */
  take(): Promise<number>;
  /** Transactions since the counting began. */
  commits(): number;
}

/** An object's database, and the rows that the platform bills for what its queries read. */
export function countedDatabase(storage: DurableObjectStorage, schema: Schema): Database & { rowsRead: number } {
  const counted = {
    ...objectDatabase(storage, schema),
    rowsRead: 0,
    all: <R extends Row, P extends readonly SqlValue[]>({ text }: Statement<R, P>, ...params: P): R[] => {
      const cursor = storage.sql.exec<R & Record<string, SqlStorageValue>>(text, ...params);
      const rows = cursor.toArray();
      counted.rowsRead += cursor.rowsRead;
      return rows;
    },
  };
  return counted;
}

/** Counts the rows that the object of a stream writes: `cursor.rowsWritten` of each of its statements. */
export async function countRows(edge: Edge): Promise<RowCount> {
  const counter = { rows: 0, commits: 0 };
  await inObject(edge, (_, { storage }) => {
    const transactionSync = storage.transactionSync.bind(storage);
    Object.defineProperty(storage, "transactionSync", {
      value: <Result>(work: () => Result): Result => {
        counter.commits += 1;
        return transactionSync(work);
      },
      configurable: true,
    });
    const exec = storage.sql.exec.bind(storage.sql);
    interceptSql(storage, (query, ...params) => {
      const cursor = exec(query, ...params);
      counter.rows += cursor.rowsWritten;
      return cursor;
    });
  });
  return {
    commits: () => counter.commits,
    take: async () => {
      const { rows } = counter;
      counter.rows = 0;
      return rows;
    },
  };
}

/** The next statements that match throw instead of running. */
export async function failSql(edge: Edge, statement: RegExp, error: Error, times = 1): Promise<void> {
  await inObject(edge, (_, { storage }) => {
    const exec = storage.sql.exec.bind(storage.sql);
    let left = times;
    interceptSql(storage, (query, ...params) => {
      if (left === 0 || !statement.test(query)) return exec(query, ...params);
      left -= 1;
      throw error;
    });
  });
}

type Exec = (query: string, ...params: SqlStorageValue[]) => SqlStorageCursor<Record<string, SqlStorageValue>>;

function interceptSql(storage: DurableObjectStorage, exec: Exec): void {
  Object.defineProperty(storage, "sql", { value: { exec }, configurable: true });
}
