/** What stored data looks like: all tables, and the version of each kind of database. */

import { ESTUARY_SCHEMA } from "./fan-out/session/estuary-rows.ts";
import { LINK_SCHEMA } from "./fan-out/source/tables.ts";
import type { Schema } from "./kit/sql/schema.ts";
import { PROJECT_SCHEMA } from "./project/tables/schema.ts";
import { STREAM_SCHEMA } from "./stream/tables/schema.ts";
import { WAKE_SCHEMA } from "./wakes/tables/subscription-rows.ts";

export const SCHEMAS: readonly Schema[] = [STREAM_SCHEMA, LINK_SCHEMA, ESTUARY_SCHEMA, WAKE_SCHEMA, PROJECT_SCHEMA];

/**
 * The newest version of each kind of database that this server reads and writes, for hosts that must not run on the data of
 * a newer server. The names are those that are stored in data directories.
 */
export const DATA_VERSIONS: Readonly<Record<string, number>> = {
  stream: STREAM_SCHEMA.version,
  subscription: LINK_SCHEMA.version,
  estuary: ESTUARY_SCHEMA.version,
  consumer: WAKE_SCHEMA.version,
  project: PROJECT_SCHEMA.version,
};
