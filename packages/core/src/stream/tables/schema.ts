/**
 * All tables of one stream's object. They are created with the stream and dropped with it, so a URL that was only read stores
 * nothing. `docs/storage.md` describes them for operators.
 *
 * A stream's row records its schema version, because a table for that would cost two more rows for each stream. Each table
 * costs two rows to create, so most are created when they are first needed: those that end with the stream, which most streams
 * never need, and those that outlive it (`fork-rows.ts`, `pending-deletion-rows.ts`, the notices).
 */

import type { Database } from "../../kit/database.ts";
import { schema } from "../../kit/sql/schema.ts";
import { logTable } from "../../log/log-rows.ts";
import { segmentsTable } from "../../log/segment-rows.ts";
import { endNoticesTable } from "./end-notice-rows.ts";
import { forksTable, pendingReleasesTable } from "./fork-rows.ts";
import { noticesTable } from "./notice-rows.ts";
import { pendingDeletionsTable } from "./pending-deletion-rows.ts";
import { producersTable } from "./producer-rows.ts";
import { streamTable } from "./stream-row.ts";

/** Created when they are first needed, and dropped with the stream. */
const ON_DEMAND = [producersTable, forksTable, segmentsTable];

export const STREAM_SCHEMA = schema({
  kind: "stream",
  together: [streamTable, logTable],
  onDemand: [...ON_DEMAND, noticesTable, endNoticesTable, pendingReleasesTable, pendingDeletionsTable],
  versionIn: { table: streamTable, column: "schema_version" },
});

/** Creates what every stream needs, in the transaction that creates the stream, after dropping what an expired stream left. */
export function createSchema({ tables }: Database): void {
  tables.drop(...STREAM_SCHEMA.together, ...ON_DEMAND);
  tables.create(...STREAM_SCHEMA.together);
}

/** Drops the stream's tables, except those that outlive it. */
export function dropSchema({ tables }: Database): void {
  tables.drop(...STREAM_SCHEMA.together, ...ON_DEMAND);
}
