/**
 * A declared table: its name, columns and key, and the kind of object that has it. Hosts make the table and all statements
 * from the declaration (`ddl.ts`, `statement.ts`), so a table that nobody declared cannot be named, and a statement cannot
 * forget whose rows it means.
 *
 * A key of one integer is SQLite's row id in the object form, and every other table is kept by its key, without a row id:
 * so each row that is written is one row, never two. In the shared form each key begins with the object's id.
 */

import type { Columns, ParamsOf, RowOf } from "./column.ts";
import {
  OBJECT_PARAMETER,
  PARTITION_PARAMETER,
  PartitionedStatement,
  Query,
  Statement,
  type Form,
  type Fragment,
} from "./statement.ts";
import type { Row } from "./value.ts";

/** The kinds of the server's own objects. */
export type ServerKind = "stream" | "source" | "session" | "wakes" | "project";
/** The kinds of modules' objects. None of the server's ever begins like them. */
export type ModuleKind = `module_${string}`;
/** The kinds of objects. Each has tables of its own, also where names are the same. */
export type Kind = ServerKind | ModuleKind;

interface Index {
  readonly columns: readonly string[];
  readonly where?: string;
}

interface Declaration<C extends Columns> {
  readonly kind: Kind;
  readonly name: string;
  readonly columns: C;
  readonly key: readonly (keyof C & string)[];
  /** By name. They are made whenever a table is made or brought up to date. */
  readonly indexes?: Readonly<Record<string, Index>>;
  /** The schema version that brought the table; 1 by default. */
  readonly since?: number;
}

/** The rest of a statement, behind what it names. Conditions are SQL about the table's own columns. */
interface Clauses {
  readonly where?: string | Fragment;
  readonly orderBy?: string;
  /** What follows `LIMIT`. */
  readonly limit?: string;
}

abstract class DeclaredTable<C extends Columns> {
  readonly kind: Kind;
  readonly name: string;
  readonly columns: C;
  readonly key: readonly string[];
  readonly indexes: Readonly<Record<string, Index>>;
  readonly since: number;
  /** What the shared form calls the partition; `undefined`: the table has none. */
  abstract readonly partition: string | undefined;
  /** All that is ever asked of the table: a host can prepare it when it starts. */
  readonly queries: Query[] = [];

  constructor({ kind, name, columns, key, indexes = {}, since = 1 }: Declaration<C>) {
    this.kind = kind;
    this.name = name;
    this.columns = columns;
    this.key = key;
    this.indexes = indexes;
    this.since = since;
  }

  /** What the table is called. */
  nameIn(form: Form, partition = 0): string {
    if (form === "shared") return `${this.kind}_${this.name}`;
    return partition === 0 ? this.name : `${this.name}_${partition}`;
  }

  protected queryOf(render: (form: Form, partition: number) => string): Query {
    const query = new Query(this, render);
    this.queries.push(query);
    return query;
  }

  protected insertQuery(into: "INSERT" | "INSERT OR REPLACE" | "INSERT OR IGNORE", columns: readonly string[]): Query {
    return this.queryOf((form, partition) => this.insertText(into, columns, form, partition));
  }

  protected insertText(into: string, columns: readonly string[], form: Form, partition: number): string {
    const owner = form === "shared" ? this.#owner() : [];
    const names = [...owner.map(([column]) => column), ...columns].join(", ");
    const values = [...owner.map(([, parameter]) => parameter), ...columns.map(() => "?")].join(", ");
    return `${into} INTO ${this.nameIn(form, partition)} (${names}) VALUES (${values})`;
  }

  protected selectQuery(what: string, { where, orderBy, limit }: Clauses): Query {
    return this.queryOf((form, partition) => {
      const from = `SELECT ${what} FROM ${this.nameIn(form, partition)}${this.condition(where, form, partition)}`;
      const order = orderBy === undefined ? "" : ` ORDER BY ${orderBy}`;
      return from + order + (limit === undefined ? "" : ` LIMIT ${limit}`);
    });
  }

  protected condition(where: string | Fragment | undefined, form: Form, partition: number): string {
    const own = form === "shared" ? this.#owner().map(([column, parameter]) => `${column} = ${parameter}`) : [];
    const text = typeof where === "object" ? where.render(form, partition) : where;
    const all = text === undefined ? own : [...own, own.length === 0 ? text : `(${text})`];
    return all.length === 0 ? "" : ` WHERE ${all.join(" AND ")}`;
  }

  /** The columns that say whose a row is, in the shared form, and the parameters that they are compared with. */
  #owner(): (readonly [column: string, parameter: string])[] {
    const object = [OBJECT_PARAMETER, `:${OBJECT_PARAMETER}`] as const;
    return this.partition === undefined ? [object] : [object, [this.partition, `:${PARTITION_PARAMETER}`]];
  }
}

export class Table<C extends Columns = Columns> extends DeclaredTable<C> {
  readonly partition = undefined;

  insert<const N extends readonly (keyof C & string)[]>(columns: N): Statement<Row, ParamsOf<C, N>> {
    return new Statement(this.insertQuery("INSERT", columns));
  }

  /** In the place of the row that has the same key, if there is one. */
  replace<const N extends readonly (keyof C & string)[]>(columns: N): Statement<Row, ParamsOf<C, N>> {
    return new Statement(this.insertQuery("INSERT OR REPLACE", columns));
  }

  /** Unless there is a row of the same key. */
  insertNew<const N extends readonly (keyof C & string)[]>(columns: N): Statement<Row, ParamsOf<C, N>> {
    return new Statement(this.insertQuery("INSERT OR IGNORE", columns));
  }

  /** Where there is a row of the same key, changes it. @param set with `excluded.x` for what was given for x. */
  upsert<const N extends readonly (keyof C & string)[]>(columns: N, set: string): Statement<Row, ParamsOf<C, N>> {
    return new Statement(
      this.queryOf((form, partition) => {
        const key = [...(form === "shared" ? [OBJECT_PARAMETER] : []), ...this.key].join(", ");
        return `${this.insertText("INSERT", columns, form, partition)} ON CONFLICT (${key}) DO UPDATE SET ${set}`;
      }),
    );
  }

  select<const N extends readonly (keyof C & string)[]>(
    columns: N,
    { isDistinct, ...clauses }: Clauses & { readonly isDistinct?: true } = {},
  ): Statement<RowOf<C, N[number]>> {
    return new Statement(this.selectQuery((isDistinct ? "DISTINCT " : "") + columns.join(", "), clauses));
  }

  /** Whether there is a row: it answers with one, or none. */
  exists(where?: string): Statement<{ found: number }> {
    return new Statement(this.selectQuery("1 AS found", { ...(where === undefined ? {} : { where }), limit: "1" }));
  }

  /** Answers with what is computed of rows. @param what named by `AS`. */
  compute<R extends Row>(what: string, clauses: Clauses = {}): Statement<R> {
    return new Statement(this.selectQuery(what, clauses));
  }

  update(set: string, where?: string): Statement {
    return new Statement(
      this.queryOf((form, partition) => {
        return `UPDATE ${this.nameIn(form, partition)} SET ${set}${this.condition(where, form, partition)}`;
      }),
    );
  }

  delete(where?: string): Statement {
    return new Statement(
      this.queryOf((form, partition) => {
        return `DELETE FROM ${this.nameIn(form, partition)}${this.condition(where, form, partition)}`;
      }),
    );
  }
}

/**
 * A table that is frozen and dropped by parts. In the object form each partition is a table of its own, because dropping a
 * table writes no rows: the first has the table's name, and `log_7` is partition 7. In the shared form it is a column.
 */
export class PartitionedTable<C extends Columns = Columns> extends DeclaredTable<C> {
  readonly partition: string;

  constructor(declaration: Declaration<C> & { readonly partition: string }) {
    super(declaration);
    this.partition = declaration.partition;
  }

  insert<const N extends readonly (keyof C & string)[]>(columns: N): PartitionedStatement<Row, ParamsOf<C, N>> {
    return new PartitionedStatement(this.insertQuery("INSERT", columns));
  }

  compute<R extends Row>(what: string, clauses: Clauses = {}): PartitionedStatement<R> {
    return new PartitionedStatement(this.selectQuery(what, clauses));
  }
}

export type AnyTable = Table | PartitionedTable;

export function table<C extends Columns>(declaration: Declaration<C>): Table<C> {
  return new Table(declaration);
}

export function partitionedTable<C extends Columns>(
  declaration: Declaration<C> & { readonly partition: string },
): PartitionedTable<C> {
  return new PartitionedTable(declaration);
}
