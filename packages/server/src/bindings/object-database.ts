import type { Database, Row, SqlValue } from "@durable-streams-cloudflare/core/kit/database";

/** The database of a Durable Object. */
export function objectDatabase(storage: DurableObjectStorage): Database {
  return {
    all: <T extends Row>(sql: string, ...params: SqlValue[]) =>
      storage.sql.exec<T & Record<string, SqlStorageValue>>(sql, ...params).toArray(),
    run: (sql, ...params) => {
      storage.sql.exec(sql, ...params);
    },
    transaction: <T>(work: () => T extends Promise<unknown> ? never : T) => storage.transactionSync(work),
  };
}
