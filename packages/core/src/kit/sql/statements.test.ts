import { describe, expect, it } from "vitest";

import { DATABASE_FORM, NodeDatabase } from "../../../test/node-database.ts";
import { SharedDatabase } from "../../../test/shared-engine.ts";
import { allRowsOf } from "../../../test/stored-rows.ts";
import { SCHEMAS } from "../../data-version.ts";
import "../../fan-out/source/grant-rows.ts";
import { integer, nullable, text } from "./column.ts";
import { createTable } from "./ddl.ts";
import { tablesOf } from "./schema.ts";
import { sql, type Statement } from "./statement.ts";
import { partitionedTable, PartitionedTable, table, Table, type AnyTable } from "./table.ts";

const things = table({
  kind: "stream",
  name: "things",
  columns: { name: text(), size: integer(0), note: nullable(text()) },
  key: ["name"],
  indexes: { things_large: { columns: ["size"], where: "size > 9" } },
});
const parts = partitionedTable({
  kind: "stream",
  name: "parts",
  partition: "first",
  columns: { position: integer(), size: integer() },
  key: ["position"],
});

describe("a statement, for a database of one object and for one that all share", () => {
  const both = ({ text: own, query }: Statement): string[] => [own, query.sharedText];

  it("says which object's rows it reads and writes only where they are shared", () => {
    expect(both(things.insert(["name", "size"]))).toEqual([
      "INSERT INTO things (name, size) VALUES (?, ?)",
      "INSERT INTO stream_things (o, name, size) VALUES (:o, ?, ?)",
    ]);
    expect(both(things.upsert(["name", "size"], "size = size + excluded.size"))).toEqual([
      "INSERT INTO things (name, size) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET size = size + excluded.size",
      "INSERT INTO stream_things (o, name, size) VALUES (:o, ?, ?) ON CONFLICT (o, name) DO UPDATE SET size = size + excluded.size",
    ]);
    expect(both(things.select(["size"], { where: "name = ? OR size = 1", orderBy: "name", limit: "?" }))).toEqual([
      "SELECT size FROM things WHERE name = ? OR size = 1 ORDER BY name LIMIT ?",
      "SELECT size FROM stream_things WHERE o = :o AND (name = ? OR size = 1) ORDER BY name LIMIT ?",
    ]);
    expect(both(things.update("size = ?", "name = ?"))).toEqual([
      "UPDATE things SET size = ? WHERE name = ?",
      "UPDATE stream_things SET size = ? WHERE o = :o AND (name = ?)",
    ]);
    expect(both(things.delete())).toEqual(["DELETE FROM things", "DELETE FROM stream_things WHERE o = :o"]);
  });

  it("names a partition as a table, or as a column, also in a query inside its condition", () => {
    const at = parts.compute("max(position)", { where: "position <= ?" });
    const from = parts.compute("size", { where: sql`position >= (${at})` });
    expect([from.in(0).text, ...both(from.in(7))]).toEqual([
      "SELECT size FROM parts WHERE position >= (SELECT max(position) FROM parts WHERE position <= ?)",
      "SELECT size FROM parts_7 WHERE position >= (SELECT max(position) FROM parts_7 WHERE position <= ?)",
      "SELECT size FROM stream_parts WHERE o = :o AND first = :partition AND (position >= (SELECT max(position) FROM stream_parts WHERE o = :o AND first = :partition AND (position <= ?)))",
    ]);
  });

  it("has a text that is written once, and is the same object for each call", () => {
    const insert = parts.insert(["position"]);
    expect(insert.in(0)).toBe(insert.in(0));
    expect(insert.in(7).query).toBe(insert.in(8).query);
  });
});

it("a table is made from its declaration in either form", () => {
  const squeezed = (made: readonly string[]): string[] => made.map((statement) => statement.replaceAll(/\s+/g, " "));
  expect(squeezed(createTable(things, "object"))).toEqual([
    "CREATE TABLE IF NOT EXISTS things ( name TEXT PRIMARY KEY, size INTEGER NOT NULL DEFAULT 0, note TEXT ) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS things_large ON things (size) WHERE size > 9",
  ]);
  expect(squeezed(createTable(things, "shared"))).toEqual([
    "CREATE TABLE IF NOT EXISTS stream_things ( o INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL DEFAULT 0, note TEXT, PRIMARY KEY (o, name) ) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS stream_things_large ON stream_things (o, size) WHERE size > 9",
  ]);
  expect(squeezed(createTable(parts, "object", 7))).toEqual([
    "CREATE TABLE IF NOT EXISTS parts_7 ( position INTEGER PRIMARY KEY, size INTEGER NOT NULL )",
  ]);
  expect(squeezed(createTable(parts, "shared"))).toEqual([
    "CREATE TABLE IF NOT EXISTS stream_parts ( o INTEGER NOT NULL, first INTEGER NOT NULL, position INTEGER NOT NULL, size INTEGER NOT NULL, UNIQUE (o, first, position) )",
  ]);
});

const DECLARED = SCHEMAS.flatMap(tablesOf).map((declared) => ({ name: `${declared.kind} ${declared.name}`, declared }));

describe.each(DECLARED)("every statement of the table $name", ({ declared }) => {
  it("is understood by SQLite in both forms, and asks for nothing that only one of them has", () => {
    const shared = new SharedDatabase();
    const own = new NodeDatabase(schemaOf(declared), "object");
    own.tables.create(declared);
    expect(declared.queries).not.toEqual([]);
    for (const query of declared.queries) {
      expect(() => shared.sqlite.prepare(query.sharedText)).not.toThrow();
      expect(() => own.prepare(query.render("object", 0))).not.toThrow();
      expect(query.sharedText).not.toMatch(/\b(join|rowid|autoincrement|last_insert_rowid)\b/i);
    }
  });

  it("finds its object's rows by their id where they are shared: it scans no table", () => {
    const shared = new SharedDatabase();
    for (const { sharedText } of declared.queries) {
      const steps = shared.sqlite.prepare(`EXPLAIN QUERY PLAN ${sharedText}`).all();
      const onTables = steps.map(({ detail }) => String(detail)).filter((step) => /^(SCAN|SEARCH)/.test(step));
      for (const step of onTables) expect(`${sharedText}: ${step}`).toMatch(/: SCAN CONSTANT ROW$|: SEARCH .*\(o=\?/);
    }
  });

  it("leaves the rows of another object alone", () => {
    const schema = schemaOf(declared);
    const [one, other] = [new NodeDatabase(schema, "shared"), new NodeDatabase(schema, "shared")];
    for (const database of [one, other]) {
      database.tables.create(declared);
      insertRow(database, declared);
    }
    const before = allRowsOf(other);
    expect(Object.values(before)[0]).toHaveLength(1);
    if (declared instanceof Table) {
      one.run(declared.update(`${Object.keys(declared.columns).at(-1)} = 1`));
      one.run(declared.delete());
    } else one.tables.drop(declared);
    expect(Object.values(allRowsOf(one)).flat()).toEqual([]);
    expect(allRowsOf(other)).toEqual(before);
    one.tables.create(declared);
    insertRow(one, declared);
    one.wipe();
    expect([allRowsOf(one), allRowsOf(other)]).toEqual([{}, before]);
  });
});

it("a table of another kind of object is refused", () => {
  const [stream, source] = SCHEMAS;
  if (stream === undefined || source === undefined) throw new Error("There are no schemas.");
  const database = new NodeDatabase(stream);
  expect(() => database.tables.create(...source.together)).toThrow("has no table source");
});

it("a statement about a table that the object does not have fails, and finds nothing of others", () => {
  for (const schema of SCHEMAS) {
    const database = new NodeDatabase(schema, DATABASE_FORM);
    for (const declared of tablesOf(schema)) expect(() => insertRow(database, declared)).toThrow("no such table");
  }
});

function schemaOf(declared: AnyTable) {
  const schema = SCHEMAS.find((candidate) => tablesOf(candidate).includes(declared));
  if (schema === undefined) throw new Error(`No schema has the table ${declared.name}.`);
  return schema;
}

/** A row with 1 in each column: SQLite takes it for text and for bytes, too. */
function insertRow(database: NodeDatabase, declared: AnyTable): void {
  const names = Object.keys(declared.columns);
  const insert = declared instanceof PartitionedTable ? declared.insert(names).in(0) : declared.insert(names);
  const run: (statement: Statement, ...params: number[]) => void = (...all) => database.run(...all);
  run(insert, ...names.map(() => 1));
}
