/** What stored data looks like, for hosts that must not run on the data of a newer server. */

import { ESTUARY_SCHEMA } from "./fan-out/session/estuary-rows.ts";
import { LINK_SCHEMA } from "./fan-out/source/link-rows.ts";
import { SCHEMA_VERSION } from "./stream/tables/schema.ts";

/** The newest version of each kind of database that this server reads and writes. */
export const DATA_VERSIONS: Readonly<Record<string, number>> = {
  stream: SCHEMA_VERSION,
  subscription: LINK_SCHEMA.migrations.length + 1,
  estuary: ESTUARY_SCHEMA.migrations.length + 1,
};
