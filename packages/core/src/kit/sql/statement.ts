/**
 * A statement of a declared table. It is written once, when its module is loaded, and each host has SQLite run the text for
 * its own form: `object`, one database for each object, or `shared`, one for all objects of all kinds. In the shared form a
 * table's name begins with its kind, and each statement says which object's rows it means, by the parameter `:o`.
 */

import type { Row, SqlValue } from "./value.ts";

export type Form = "object" | "shared";

/** The parameters of a statement in the shared form: the object whose rows it means, and the partition. */
export const OBJECT_PARAMETER = "o";
export const PARTITION_PARAMETER = "partition";

/** A fragment of SQL that can be rendered in either form. Its parameters are `?`, in their order. */
export interface Fragment {
  render(form: Form, partition: number): string;
}

/** Puts fragments into SQL: a query inside another's condition. */
export function sql(strings: TemplateStringsArray, ...fragments: readonly Fragment[]): Fragment {
  return {
    render: (form, partition) =>
      strings.reduce((all, part, index) => all + (fragments[index - 1]?.render(form, partition) ?? "") + part),
  };
}

/** One query in the code, which a host prepares once. */
export class Query implements Fragment {
  readonly table: { readonly kind: string; readonly name: string; readonly partition: string | undefined };
  readonly #render: (form: Form, partition: number) => string;
  #shared: string | undefined;

  constructor(table: Query["table"], render: (form: Form, partition: number) => string) {
    this.table = table;
    this.#render = render;
  }

  render(form: Form, partition: number): string {
    return this.#render(form, partition);
  }

  /** For a database that all objects share. The same for all partitions. */
  get sharedText(): string {
    return (this.#shared ??= this.#render("shared", 0));
  }
}

/** @template R its rows @template P its parameters */
export class Statement<R extends Row = Row, P extends readonly SqlValue[] = readonly SqlValue[]> implements Fragment {
  readonly query: Query;
  readonly partition: number;
  #text: string | undefined;
  /** For types alone. */
  declare readonly types?: readonly [row: R, params: P];

  constructor(query: Query, partition = 0) {
    this.query = query;
    this.partition = partition;
  }

  /** For a database that holds one object. Written once. */
  get text(): string {
    return (this.#text ??= this.query.render("object", this.partition));
  }

  render(form: Form, partition: number): string {
    return this.query.render(form, partition);
  }
}

/** A statement of a partitioned table: one table for each partition in the object form, a column in the shared form. */
export class PartitionedStatement<
  R extends Row = Row,
  P extends readonly SqlValue[] = readonly SqlValue[],
> implements Fragment {
  readonly query: Query;
  /** Most objects never get a second partition. */
  readonly #first: Statement<R, P>;

  constructor(query: Query) {
    this.query = query;
    this.#first = new Statement(query);
  }

  in(partition: number): Statement<R, P> {
    return partition === 0 ? this.#first : new Statement(this.query, partition);
  }

  render(form: Form, partition: number): string {
    return this.query.render(form, partition);
  }
}
