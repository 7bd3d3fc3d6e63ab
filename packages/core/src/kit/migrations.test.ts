import { NodeDatabase } from "@durable-streams-cloudflare/testkit/node-host";
import { describe, expect, it } from "vitest";

import { activeLinks, ESTUARY_SCHEMA, readEstuary } from "../fan-out/session/estuary-rows.ts";
import { LINK_SCHEMA, readLink, readSource } from "../fan-out/source/link-rows.ts";
import { createTables, upgradeTables, type Schema } from "./migrations.ts";

/** As the first release with estuaries made them. */
const OLD_LINKS = [
  `CREATE TABLE IF NOT EXISTS source (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS links (
    session TEXT NOT NULL,
    link INTEGER NOT NULL,
    session_incarnation INTEGER NOT NULL,
    format TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    start INTEGER NOT NULL,
    start_offset TEXT NOT NULL,
    until INTEGER,
    position INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, link)
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS unwanted (
    session TEXT NOT NULL,
    link INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (session, link)
  ) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS links_behind ON links (retry_at_ms) WHERE position IS NOT NULL`,
  `INSERT INTO source (id, facts) VALUES (1, '{"token":7,"incarnation":5,"position":3,"activeAtMs":1}')`,
];
const OLD_LINK = `INSERT INTO links (session, link, session_incarnation, format, incarnation, start, start_offset, position)
  VALUES ('p/alice', 2, 9, 'envelope', 5, 3, 'offset', NULL)`;

const OLD_ESTUARY = [
  `CREATE TABLE IF NOT EXISTS estuary (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS sources (
    source TEXT NOT NULL,
    link INTEGER NOT NULL,
    format TEXT NOT NULL,
    state TEXT NOT NULL,
    start_offset TEXT NOT NULL DEFAULT '',
    drain INTEGER NOT NULL DEFAULT 0,
    due_at_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, link)
  ) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS sources_unsettled ON sources (due_at_ms) WHERE state <> 'active'`,
  `INSERT INTO estuary (id, facts) VALUES (1, '{"incarnation":9,"lastLink":2}')`,
];
const OLD_SOURCE = `INSERT INTO sources (source, link, format, state, start_offset, due_at_ms)
  VALUES ('p/chat', 2, 'raw', 'active', 'offset', 0)`;

function databaseOf(...statements: string[]): NodeDatabase {
  const database = new NodeDatabase();
  for (const statement of statements) database.run(statement);
  return database;
}

/** The columns of every table, and all indices: what two databases must have in common. */
function shapeOf(database: NodeDatabase): unknown {
  const objects = database.all<{ type: string; name: string }>("SELECT type, name FROM sqlite_master ORDER BY name");
  return objects.map(({ type, name }) => ({
    name,
    columns: type === "table" ? database.all(`SELECT name, type, "notnull", pk FROM pragma_table_info('${name}')`) : [],
  }));
}

describe.each([
  { about: "a source's followers", schema: LINK_SCHEMA, old: OLD_LINKS, row: OLD_LINK },
  { about: "an estuary", schema: ESTUARY_SCHEMA, old: OLD_ESTUARY, row: OLD_SOURCE },
])("the tables of $about", ({ schema, old, row }) => {
  it("[DU6] that the first release made become as new ones are, and keep what they hold", () => {
    const database = databaseOf(...old, row);
    upgradeTables(database, schema);
    const fresh = new NodeDatabase();
    createTables(fresh, schema);
    expect(shapeOf(database)).toEqual(shapeOf(fresh));
    upgradeTables(database, schema);
    expect(shapeOf(database)).toEqual(shapeOf(fresh));
  });

  it("[IN19] can be written by the release before, should it be deployed again", () => {
    const database = databaseOf(...old);
    upgradeTables(database, schema);
    expect(() => database.run(row)).not.toThrow();
  });
});

it("[DU6] what old tables hold is read as it was written, without a grant", () => {
  const links = databaseOf(...OLD_LINKS, OLD_LINK);
  upgradeTables(links, LINK_SCHEMA);
  expect(readSource(links)).toMatchObject({ token: 7, position: 3 });
  expect(readLink(links, { session: "p/alice", link: 2 })).toMatchObject({
    format: "envelope",
    startOffset: "offset",
    kid: null,
    user: null,
    expiresAtMs: null,
    ended: null,
  });
  const estuary = databaseOf(...OLD_ESTUARY, OLD_SOURCE);
  upgradeTables(estuary, ESTUARY_SCHEMA);
  expect(readEstuary(estuary)).toEqual({ incarnation: 9, lastLink: 2 });
  expect(activeLinks(estuary, 10)).toMatchObject([{ source: "p/chat", startOffset: "offset", expiresAtMs: null }]);
});

const SCHEMA: Schema = {
  table: "things",
  current: ["CREATE TABLE things (id INTEGER, name TEXT)"],
  migrations: [["ALTER TABLE things ADD COLUMN name TEXT"]],
};

it("where nothing is stored an upgrade stores nothing", () => {
  const database = new NodeDatabase();
  upgradeTables(database, SCHEMA);
  expect(database.all("SELECT name FROM sqlite_master")).toEqual([]);
});

it("a migration that fails leaves the tables as they were", () => {
  const database = databaseOf("CREATE TABLE things (id INTEGER)");
  const broken = { ...SCHEMA, migrations: [...SCHEMA.migrations, ["ALTER TABLE nothing ADD COLUMN x TEXT"]] };
  expect(() => upgradeTables(database, broken)).toThrow("nothing");
  upgradeTables(database, SCHEMA);
  expect(database.all("SELECT name FROM pragma_table_info('things')")).toEqual([{ name: "id" }, { name: "name" }]);
});

it("[DU6] tables of a newer server are left alone", () => {
  const database = new NodeDatabase();
  createTables(database, SCHEMA);
  expect(() => upgradeTables(database, { ...SCHEMA, migrations: [] })).toThrow("deploy a newer server");
});
