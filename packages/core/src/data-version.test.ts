import { expect, describe, it } from "vitest";

import { NodeDatabase } from "../test/node-database.ts";
import { OLDER_DATABASES, type OlderDatabase } from "../test/older-databases.ts";
import { DATA_VERSIONS, SCHEMAS } from "./data-version.ts";
import { activeLinks, readEstuary } from "./fan-out/session/estuary-rows.ts";
import { readLink, readSource } from "./fan-out/source/link-rows.ts";
import { tablesOf, type Schema } from "./kit/sql/schema.ts";
import type { AnyTable } from "./kit/sql/table.ts";
import { HotLog } from "./log/hot-log.ts";
import { listStreams, readCounters } from "./project/tables/directory-rows.ts";
import { readProjectRow } from "./project/tables/project-rows.ts";
import { readStreamRow } from "./stream/tables/stream-row.ts";
import { explicitPaths, readConsumer } from "./wakes/tables/subscription-rows.ts";

/** A database as a server of one version left it. */
function databaseOf({ schema, first, steps }: OlderDatabase, version: number): NodeDatabase {
  const database = new NodeDatabase(schema, "object");
  for (const statement of [first, ...steps.slice(0, version - 1)].flat()) database.exec(statement);
  return database;
}

/** Tables of a schema as this server makes them. */
function fresh(schema: Schema, tables: readonly AnyTable[]): NodeDatabase {
  const database = new NodeDatabase(schema, "object");
  database.tables.create(...tables);
  return database;
}

/** What two databases must have in common: the columns of each table, its key, how it is kept, and its indexes. */
function shapeOf(database: NodeDatabase): unknown {
  const tables = database.exec<{ name: string; wr: number }>(
    "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'",
  );
  const indexes = database.exec<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
  );
  return {
    tables: Object.fromEntries(
      tables
        .filter(({ name }) => name !== "schema_version")
        .map(({ name, wr }) => [name, { wr, columns: database.exec(`PRAGMA table_info(${name})`) }]),
    ),
    indexes: indexes.map(({ name, sql }) => [name, sql.replaceAll(/\s+/g, " ")]),
  };
}

function versionOf(database: NodeDatabase, { versionIn }: Schema): unknown {
  const isRecorded = database.tableNames().includes("schema_version");
  if (versionIn === undefined)
    return isRecorded ? database.exec("SELECT version FROM schema_version")[0]?.["version"] : 1;
  return database.exec("SELECT schema_version AS version FROM stream")[0]?.["version"];
}

it("every kind of database has a version, which data directories and the tests of older ones know", () => {
  expect(DATA_VERSIONS).toEqual({ stream: 7, subscription: 2, estuary: 2 });
  expect(OLDER_DATABASES.map(({ schema }) => schema)).toEqual(SCHEMAS);
  expect(OLDER_DATABASES.map(({ steps }) => steps.length + 1)).toEqual(SCHEMAS.map(({ version }) => version));
});

describe.each(OLDER_DATABASES.map((older) => ({ kind: older.schema.kind, older })))(
  "the database of a $kind",
  ({ older }) => {
    const { schema, steps, write } = older;
    const versions = [...steps.keys(), steps.length].map((index) => index + 1);

    it.each(versions)("[DU6] of version %i becomes as a new one is, and stays so", (version) => {
      const database = databaseOf(older, version);
      expect(database.tables.upgrade()).toBe(version === schema.version ? "current" : "upgraded");
      const made = tablesOf(schema).filter((table) => database.tables.has(table));
      expect(shapeOf(database)).toEqual(shapeOf(fresh(schema, made)));
      expect(versionOf(database, schema)).toBe(schema.version);
      expect(database.tables.upgrade()).toBe("current");
    });

    it("of the newest version has every table that is declared", () => {
      const database = databaseOf(older, schema.version);
      expect(tablesOf(schema).filter((table) => !database.tables.has(table))).toEqual([]);
      expect(shapeOf(database)).toEqual(shapeOf(fresh(schema, tablesOf(schema))));
    });

    it("[IN19] can be written as the first version was, should its server be deployed again", () => {
      const database = databaseOf(older, 1);
      database.tables.upgrade();
      expect(() => database.exec(write)).not.toThrow();
    });

    it("[DU6] of a newer server is refused, with what to do, and is left alone", () => {
      const database = databaseOf(older, schema.version);
      const newer = schema.version + 1;
      if (schema.versionIn === undefined) {
        database.exec(
          "CREATE TABLE IF NOT EXISTS schema_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL)",
        );
        database.exec("INSERT OR REPLACE INTO schema_version (id, version) VALUES (1, ?)", newer);
      } else database.exec("UPDATE stream SET schema_version = ?", newer);
      const before = shapeOf(database);
      expect(() => database.tables.upgrade()).toThrow(
        `schema version ${newer}, but this server supports at most ${schema.version}: deploy a newer server`,
      );
      expect(shapeOf(database)).toEqual(before);
      expect(versionOf(database, schema)).toBe(newer);
    });

    it("in which nothing is stored stays empty", () => {
      const database = new NodeDatabase(schema, "object");
      expect(database.tables.upgrade()).toBe("empty");
      expect(database.tableNames()).toEqual([]);
    });
  },
);

it("[DU6] what a database of the first version holds is read as it was written", () => {
  const [stream, source, session, wakes, project] = OLDER_DATABASES.map((older) => {
    const database = databaseOf(older, 1);
    database.tables.upgrade();
    return database;
  }) as [NodeDatabase, NodeDatabase, NodeDatabase, NodeDatabase, NodeDatabase];
  expect(readStreamRow(stream)).toMatchObject({
    incarnation: 7,
    earliest: 0,
    kind: "plain",
    requests: [],
    consumers: [],
  });
  expect(HotLog.load(stream).readRange(0, 3, 10)).toEqual(new Uint8Array([97, 98, 99]));
  expect(readSource(source)).toMatchObject({ token: 7, position: 3 });
  expect(readLink(source, { session: "p/alice", link: 2 })).toMatchObject({
    format: "envelope",
    startOffset: "offset",
    kid: null,
    user: null,
    expiresAtMs: null,
    ended: null,
  });
  expect(readEstuary(session)).toEqual({ incarnation: 9, lastLink: 2 });
  expect(activeLinks(session, 10)).toMatchObject([{ source: "p/chat", startOffset: "offset", expiresAtMs: null }]);
  expect(readConsumer(wakes)).toMatchObject({ progress: { generation: 4 } });
  expect(explicitPaths(wakes, 10)).toEqual(["chat"]);
  expect(readProjectRow(project)).toEqual({ record: '{"name":"p"}', removedAtMs: null, published: true });
  expect(readCounters(project)).toMatchObject({ streams: 1, created: 1 });
  expect(listStreams(project, "", "", 10)).toMatchObject([{ name: "chat" }]);
});
