import { inObject, type Edge } from "./edge.ts";

/** What one object has written, as the platform bills it. */
export interface RowCount {
  /** Rows written since the last look. */
  take(): Promise<number>;
  /** Transactions since the counting began. */
  commits(): number;
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
