/**
 * All tables of one kind of object, and their version. Each column says which version added it (`since`), and the newest of
 * these is the schema's version. So history is append-only: an old database is upgraded by adding what it lacks, whichever
 * version it comes from.
 *
 * New columns are nullable or have a default, so that the previous release can still write the tables.
 */

import type { AnyTable, Kind, Table } from "./table.ts";

export interface Schema<K extends Kind = Kind> {
  readonly kind: K;
  /** The newest, which is the one that this server reads and writes. */
  readonly version: number;
  /** Made together, when something is stored for the first time. */
  readonly together: readonly AnyTable[];
  /** Each is made when it is first needed. */
  readonly onDemand: readonly AnyTable[];
  /** The column of a table with one row that holds an object's version; `undefined`: a table of its own does. */
  readonly versionIn: { readonly table: Table; readonly column: string } | undefined;
}

export function schema<const K extends Kind>({
  kind,
  together = [],
  onDemand = [],
  versionIn,
}: {
  readonly kind: K;
  readonly together?: readonly AnyTable[];
  readonly onDemand?: readonly AnyTable[];
  readonly versionIn?: NonNullable<Schema["versionIn"]>;
}): Schema<K> {
  const tables = [...together, ...onDemand];
  for (const table of tables) check(table, kind);
  const version = Math.max(1, ...tables.flatMap(versionsOf));
  return { kind, version, together, onDemand, versionIn };
}

export function tablesOf({ together, onDemand }: Schema): readonly AnyTable[] {
  return [...together, ...onDemand];
}

/** What an older database may lack. */
export function addedColumns(table: AnyTable): string[] {
  return Object.entries(table.columns).flatMap(([name, { since }]) => (since > 1 ? [name] : []));
}

/** SQLite puts new columns behind the others, and fills them with their default in the rows that there are. */
function check(table: AnyTable, kind: Kind): void {
  if (table.kind !== kind) throw new Error(`The table ${table.name} belongs to a ${table.kind}, not to a ${kind}.`);
  let newest = 1;
  for (const [name, { since, isNullable, defaultValue }] of Object.entries(table.columns)) {
    if (since < newest) throw new Error(`${table.name}.${name} must stand before the columns of later versions.`);
    newest = since;
    if (since > 1 && !isNullable && defaultValue === undefined) {
      throw new Error(`${table.name}.${name} came later, so it must be nullable or have a default.`);
    }
  }
}

function versionsOf(table: AnyTable): number[] {
  return [table.since, ...Object.values(table.columns).map(({ since }) => since)];
}
