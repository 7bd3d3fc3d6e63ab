/** The schemas of all kinds of objects, and the newest version of each that this server can read. */

import { ESTUARY_SCHEMA } from "./fan-out/session/estuary-rows.ts";
import { LINK_SCHEMA } from "./fan-out/source/tables.ts";
import type { Schema } from "./kit/sql/schema.ts";
import type { ServerKind } from "./kit/sql/table.ts";
import { PROJECT_SCHEMA } from "./project/tables/schema.ts";
import { STREAM_SCHEMA } from "./stream/tables/schema.ts";
import { WAKE_SCHEMA } from "./wakes/tables/subscription-rows.ts";

export const SCHEMAS: readonly Schema<ServerKind>[] = [
  STREAM_SCHEMA,
  LINK_SCHEMA,
  ESTUARY_SCHEMA,
  WAKE_SCHEMA,
  PROJECT_SCHEMA,
];

/** As data directories call the kinds of objects. */
const STORED_NAMES = {
  stream: "stream",
  source: "subscription",
  session: "estuary",
  wakes: "consumer",
  project: "project",
} as const;

/**
 * The newest version of each kind of database that this server reads and writes, for hosts that must not run on the data of
 * a newer server. Version 1 is not recorded: a server from before a kind had versions can read it.
 */
export const DATA_VERSIONS: Readonly<Record<string, number>> = Object.fromEntries(
  SCHEMAS.filter(({ version }) => version > 1).map(({ kind, version }) => [STORED_NAMES[kind], version]),
);
