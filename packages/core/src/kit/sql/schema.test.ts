import { describe, expect, it } from "vitest";

import { NodeDatabase } from "../../../test/node-database.ts";
import { integer, nullable, since, text } from "./column.ts";
import { schema } from "./schema.ts";
import { table } from "./table.ts";

const first = table({ kind: "project", name: "first", columns: { id: text() }, key: ["id"] });
const COLUMNS = { id: text(), size: integer(), note: since(2, nullable(text())), rank: since(3, integer(7)) };
const wide = table({
  kind: "project",
  name: "wide",
  columns: COLUMNS,
  key: ["id"],
  indexes: { wide_ranks: { columns: ["rank"] } },
});
const late = table({ kind: "project", name: "late", columns: { id: text() }, key: ["id"], since: 3 });

const OLD = [
  "CREATE TABLE wide (id TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
  "INSERT INTO wide (id, size) VALUES ('a', 1)",
];

function databaseOf(...statements: string[]): NodeDatabase {
  const database = new NodeDatabase(schema({ kind: "project", together: [wide, late], onDemand: [first] }), "object");
  for (const statement of statements) database.exec(statement);
  return database;
}

const versionOf = (database: NodeDatabase): unknown =>
  database.exec("SELECT version FROM schema_version")[0]?.["version"];

it("a schema has the newest version that any table or column came with", () => {
  expect(schema({ kind: "project", onDemand: [first] }).version).toBe(1);
  expect(schema({ kind: "project", together: [wide], onDemand: [first] }).version).toBe(3);
  expect(schema({ kind: "project", together: [first, late] }).version).toBe(3);
});

describe("a declaration is refused that", () => {
  const declare = (columns: Parameters<typeof table>[0]["columns"], kind: "project" | "wakes" = "project") =>
    schema({ kind: "project", together: [table({ kind, name: "t", columns, key: ["id"] })] });

  it("adds a column in which old rows would have nothing", () => {
    expect(() => declare({ id: text(), size: since(2, integer()) })).toThrow("must be nullable or have a default");
  });

  it("puts a column before those of earlier versions, where SQLite cannot add it", () => {
    expect(() => declare({ id: text(), note: since(2, nullable(text())), size: integer() })).toThrow(
      "must stand before",
    );
  });

  it("is of another kind of object", () => {
    expect(() => declare({ id: text() }, "wakes")).toThrow("belongs to a wakes, not to a project");
  });
});

describe("an upgrade", () => {
  it("adds what is missing, fills it with defaults, and records the version", () => {
    const database = databaseOf(...OLD);
    expect(database.tables.upgrade()).toBe("upgraded");
    expect(database.exec("SELECT * FROM wide")).toEqual([{ id: "a", size: 1, note: null, rank: 7 }]);
    expect(database.tableNames()).toEqual(["late", "schema_version", "wide"]);
    expect(database.exec("SELECT name FROM sqlite_master WHERE name = 'wide_ranks'")).toHaveLength(1);
    expect([versionOf(database), database.tables.upgrade()]).toEqual([3, "current"]);
  });

  it("of a table that is made on demand makes none of the others", () => {
    const database = databaseOf("CREATE TABLE first (id TEXT PRIMARY KEY) WITHOUT ROWID");
    expect(database.tables.upgrade()).toBe("upgraded");
    expect(database.tableNames()).toEqual(["first", "schema_version"]);
  });

  it("that fails leaves the tables as they were, and works the next time", () => {
    const database = databaseOf(...OLD, "CREATE VIEW late AS SELECT 1 AS id");
    database.exec("CREATE TABLE wide_ranks (id TEXT)");
    expect(() => database.tables.upgrade()).toThrow("wide_ranks");
    expect(database.exec("SELECT * FROM wide")).toEqual([{ id: "a", size: 1 }]);
    database.exec("DROP TABLE wide_ranks");
    database.exec("DROP VIEW late");
    expect(database.tables.upgrade()).toBe("upgraded");
  });
});

it("a table that is made when it is needed records the version, so that an older server refuses it", () => {
  const database = databaseOf();
  database.tables.create(first);
  expect(versionOf(database)).toBe(3);
  expect(database.tables.upgrade()).toBe("current");
});

it("version 1 is not recorded: it costs no row", () => {
  const database = new NodeDatabase(schema({ kind: "project", onDemand: [first] }), "object");
  database.tables.create(first);
  expect(database.tableNames()).toEqual(["first"]);
});
