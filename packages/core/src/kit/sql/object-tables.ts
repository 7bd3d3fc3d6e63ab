/**
 * The tables of an object that has a database to itself: they are created when the object first stores something, and dropped
 * with it.
 */

import type { Tables } from "../database.ts";
import { createTable, partitionOf } from "./ddl.ts";
import type { Engine } from "./engine.ts";
import { addedColumns, tablesOf, type Schema } from "./schema.ts";
import type { AnyTable, PartitionedTable } from "./table.ts";
import { completeTable, refuseNewer } from "./upgrade.ts";

const ALL_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";
const ONE_TABLE = `${ALL_TABLES} AND name = ?`;
const PARTITIONS = `${ALL_TABLES} AND (name = ? OR name GLOB ?)`;

/** A database without it, in which something is stored, has version 1. */
const VERSION_TABLE = "schema_version";
const CREATE_VERSION_TABLE = `CREATE TABLE IF NOT EXISTS ${VERSION_TABLE} (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
)`;

export class ObjectTables implements Tables {
  readonly #engine: Engine;
  readonly #schema: Schema;

  constructor(engine: Engine, schema: Schema) {
    this.#engine = engine;
    this.#schema = schema;
  }

  upgrade(): "empty" | "current" | "upgraded" {
    const { version: newest, kind, versionIn } = this.#schema;
    if (versionIn !== undefined && !this.has(versionIn.table)) return this.#upgradeLeftovers();
    const names = versionIn === undefined ? this.#names() : [versionIn.table.name];
    if (versionIn === undefined && this.#existing(names).length === 0) return "empty";
    const version = this.#recordedVersion(names) ?? 1;
    refuseNewer(`this object (${kind})`, version, newest);
    if (version === newest) return "current";
    this.#engine.transaction(() => {
      this.#complete(this.#existing(this.#names()));
      this.#writeVersion();
    });
    return "upgraded";
  }

  has(table: AnyTable): boolean {
    if (table.partition !== undefined) return this.partitions(table).length > 0;
    return this.#engine.exec(ONE_TABLE, table.name).length > 0;
  }

  create(...tables: readonly AnyTable[]): void {
    for (const table of tables) this.#make(table, 0);
    const { version, versionIn } = this.#schema;
    // Version 1 is what is not recorded, and costs no row.
    if (version === 1 || versionIn !== undefined) return;
    if (this.#engine.exec(ONE_TABLE, VERSION_TABLE).length === 0) this.#writeVersion();
  }

  drop(...tables: readonly AnyTable[]): void {
    for (const table of tables) {
      if (table.partition === undefined) this.#engine.exec(`DROP TABLE IF EXISTS ${table.name}`);
      else for (const partition of this.partitions(table)) this.dropPartition(table, partition);
    }
  }

  partitions(table: PartitionedTable): number[] {
    return this.#engine
      .exec<{ name: string }>(PARTITIONS, table.name, `${table.name}_[0-9]*`)
      .flatMap(({ name }) => partitionOf(table, name) ?? [])
      .toSorted((a, b) => a - b);
  }

  createPartition(table: PartitionedTable, partition: number): void {
    this.#make(table, partition);
  }

  dropPartition(table: PartitionedTable, partition: number): void {
    this.#engine.exec(`DROP TABLE ${table.nameIn("object", partition)}`);
  }

  #make(table: AnyTable, partition: number): void {
    this.#known(table);
    for (const statement of createTable(table, "object", partition)) this.#engine.exec(statement);
  }

  /** Adds the tables, columns and indexes that later versions brought. */
  #complete(existing: readonly AnyTable[]): void {
    const { together } = this.#schema;
    for (const table of existing) {
      completeTable(this.#engine, table, "object", table.partition === undefined ? [0] : this.partitions(table));
    }
    const missing = together.filter((table) => !existing.includes(table));
    if (missing.length < together.length) this.create(...missing);
  }

  /** What outlives a stream has no version: the stream's row has gone. */
  #upgradeLeftovers(): "empty" {
    if (this.#schema.onDemand.every((table) => addedColumns(table).length === 0)) return "empty";
    this.#engine.transaction(() => this.#complete(this.#existing(this.#names())));
    return "empty";
  }

  #names(): string[] {
    return this.#engine.exec<{ name: string }>(ALL_TABLES).map(({ name }) => name);
  }

  #existing(names: readonly string[]): AnyTable[] {
    return tablesOf(this.#schema).filter((table) => names.some((name) => partitionOf(table, name) !== undefined));
  }

  #recordedVersion(names: readonly string[]): number | undefined {
    const { table, column } = this.#versionPlace();
    if (!names.includes(table)) return undefined;
    const row = this.#engine.exec<{ version: number }>(`SELECT ${column} AS version FROM ${table} WHERE id = 1`)[0];
    return row?.version;
  }

  #writeVersion(): void {
    const { version, versionIn } = this.#schema;
    const { table, column } = this.#versionPlace();
    if (versionIn === undefined) {
      this.#engine.exec(CREATE_VERSION_TABLE);
      this.#engine.exec(`INSERT OR REPLACE INTO ${table} (id, ${column}) VALUES (1, ?)`, version);
    } else this.#engine.exec(`UPDATE ${table} SET ${column} = ? WHERE id = 1`, version);
  }

  #versionPlace(): { readonly table: string; readonly column: string } {
    const { versionIn } = this.#schema;
    return versionIn === undefined
      ? { table: VERSION_TABLE, column: "version" }
      : { table: versionIn.table.name, column: versionIn.column };
  }

  #known(table: AnyTable): void {
    if (tablesOf(this.#schema).includes(table)) return;
    throw new Error(`An object of the kind ${this.#schema.kind} has no table ${table.name}.`);
  }
}
