/** Core's database port on a Durable Object's SQLite storage. */

import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import { ObjectTables } from "@durable-streams-cloudflare/core/kit/sql/object-tables";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Statement } from "@durable-streams-cloudflare/core/kit/sql/statement";
import type { Row, SqlValue } from "@durable-streams-cloudflare/core/kit/sql/value";

/** The database of a Durable Object of one kind. */
export function objectDatabase(storage: DurableObjectStorage, schema: Schema): Database {
  const transaction = <T>(work: () => T extends Promise<unknown> ? never : T): T => storage.transactionSync(work);
  const exec = <R extends Row>(text: string, ...params: SqlValue[]): R[] =>
    storage.sql.exec<R & Record<string, SqlStorageValue>>(text, ...params).toArray();
  return {
    all: <R extends Row, P extends readonly SqlValue[]>({ text }: Statement<R, P>, ...params: P) =>
      exec<R>(text, ...params),
    run: ({ text }, ...params) => {
      storage.sql.exec(text, ...params);
    },
    transaction,
    tables: new ObjectTables({ exec, transaction }, schema),
  };
}
