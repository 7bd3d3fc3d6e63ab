/** The column types of a declared table (`table.ts`), and the types of its rows. */

import type { SqlValue } from "./value.ts";

export interface Column<V extends SqlValue = SqlValue> {
  readonly type: "INTEGER" | "TEXT" | "BLOB";
  readonly isNullable: boolean;
  readonly defaultValue: string | number | undefined;
  /** Part of a table that has one row: the column holds 1. */
  readonly isOnlyRow: boolean;
  /** The schema version that brought the column. */
  readonly since: number;
  /** For types alone: what a row has in it. */
  readonly value?: V;
}

export type Columns = Readonly<Record<string, Column>>;

/** Columns of a row, as a query answers with them. */
export type RowOf<C extends Columns, N extends keyof C = keyof C> = {
  [K in N]: C[K] extends Column<infer V> ? V : never;
};

/** What is given for one column. */
type ParamOf<V> = V extends ArrayBuffer ? ArrayBuffer | Uint8Array<ArrayBuffer> : V;

/** What is given for several columns, in their order. */
export type ParamsOf<C extends Columns, N extends readonly (keyof C)[]> = {
  readonly [I in keyof N]: C[N[I]] extends Column<infer V> ? ParamOf<V> : never;
};

export function integer(defaultValue?: number): Column<number> {
  return { type: "INTEGER", isNullable: false, defaultValue, isOnlyRow: false, since: 1 };
}

export function text<V extends string = string>(defaultValue?: V): Column<V> {
  return { type: "TEXT", isNullable: false, defaultValue, isOnlyRow: false, since: 1 };
}

export function blob(): Column<ArrayBuffer> {
  return { type: "BLOB", isNullable: false, defaultValue: undefined, isOnlyRow: false, since: 1 };
}

/** The key of a table that has one row. */
export function onlyRow(): Column<number> {
  return { ...integer(), isOnlyRow: true };
}

export function nullable<V extends SqlValue>(column: Column<V>): Column<V | null> {
  const { value: _, ...rest } = column;
  return { ...rest, isNullable: true };
}

/** A column that a later version of the schema added: nullable or with a default, and after all earlier columns. */
export function since<V extends SqlValue>(version: number, column: Column<V>): Column<V> {
  return { ...column, since: version };
}
