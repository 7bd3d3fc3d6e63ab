import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { NodeDatabase } from "@durable-streams-cloudflare/testkit/node-host";
import { expect, it } from "vitest";

import { HotLog } from "../../log/hot-log.ts";
import { createSchema, hasSchema, SCHEMA_VERSION, upgradeSchema } from "./schema.ts";
import { insertStreamRow, readStreamRow } from "./stream-row.ts";

const ROW = {
  incarnation: 1,
  contentType: "text/plain",
  lifetime: { kind: "forever" },
  retention: KEEP_ALL,
  earliest: 0,
  touchedAtMs: 2,
  origin: undefined,
} as const;

/** What a stream begins with. */
const NEW = {
  checkpointPosition: 0,
  streamSeq: undefined,
  closure: undefined,
  requests: [],
  deleted: false,
  kind: "plain",
  followed: null,
  quotaGrant: null,
  consumers: [],
  recordsAuthors: false,
};

function storedStream(): NodeDatabase {
  const database = new NodeDatabase();
  createSchema(database);
  insertStreamRow(database, ROW);
  return database;
}

it("a look at a database without a stream writes nothing", () => {
  const database = new NodeDatabase();
  expect(hasSchema(database)).toBe(false);
  expect(database.rowsWritten).toBe(0);
  createSchema(database);
  expect(hasSchema(database)).toBe(true);
});

it("a stream of this version is left as it is", () => {
  const database = storedStream();
  const before = database.rowsWritten;
  upgradeSchema(database);
  expect(database.rowsWritten).toBe(before);
  expect(readStreamRow(database)).toEqual({ ...ROW, ...NEW });
});

it("[DU6] a stream of a newer server is refused, and not touched", () => {
  const database = storedStream();
  database.run("UPDATE stream SET schema_version = ?", SCHEMA_VERSION + 1);
  const before = database.rowsWritten;
  expect(() => upgradeSchema(database)).toThrow(`schema version ${SCHEMA_VERSION + 1}`);
  expect(database.rowsWritten).toBe(before);
});

it("creating anew drops all that an expired stream left", () => {
  const database = storedStream();
  database.run("INSERT INTO producers (id, epoch, seq) VALUES ('p', 1, 1)");
  database.run("INSERT INTO log (position, committed_at_ms, notes, bytes) VALUES (0, 1, NULL, ?)", new Uint8Array(3));
  createSchema(database);
  for (const table of ["stream", "producers", "log"]) {
    expect(database.all(`SELECT * FROM ${table}`)).toEqual([]);
  }
});

it.each([
  { kind: "forever" },
  { kind: "ttl", ttlSeconds: 0 },
  { kind: "ttl", ttlSeconds: 9 },
  { kind: "at", expiresAtMs: 1_900_000_000_000 },
] as const)("a lifetime of $kind is read back", (lifetime) => {
  const database = new NodeDatabase();
  createSchema(database);
  insertStreamRow(database, { ...ROW, lifetime });
  expect(readStreamRow(database)?.lifetime).toEqual(lifetime);
});

/** As the first version made them; never to be edited. */
const FIRST_VERSION = [
  `CREATE TABLE stream (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    ttl_seconds INTEGER,
    expires_at_ms INTEGER,
    touched_at_ms INTEGER NOT NULL,
    checkpoint_position INTEGER NOT NULL,
    stream_seq TEXT,
    origin TEXT,
    deleted INTEGER NOT NULL DEFAULT 0
  )`,
  "CREATE TABLE log (position INTEGER PRIMARY KEY, committed_at_ms INTEGER NOT NULL, notes TEXT, bytes BLOB NOT NULL)",
  "CREATE TABLE producers (id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE forks (id TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID",
  `INSERT INTO stream (id, schema_version, incarnation, content_type, touched_at_ms, checkpoint_position)
   VALUES (1, 1, 7, 'text/plain', 2, 0)`,
  "INSERT INTO log (position, committed_at_ms, notes, bytes) VALUES (0, 3, NULL, x'616263')",
];

function columnsOf(database: NodeDatabase): Record<string, unknown[]> {
  const tables = database.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
  return Object.fromEntries(
    tables.map(({ name }) => [name, database.all(`SELECT * FROM pragma_table_info('${name}')`)]),
  );
}

it("[DU6] a stream of the first version is brought up to date, and has all its bytes", () => {
  const database = new NodeDatabase();
  for (const statement of FIRST_VERSION) database.run(statement);
  upgradeSchema(database);
  expect(readStreamRow(database)).toMatchObject({ incarnation: 7, earliest: 0, retention: KEEP_ALL, requests: [] });
  expect(HotLog.load(database).readRange(0, 3, 10)).toEqual(new Uint8Array([97, 98, 99]));
  expect(columnsOf(database)).toEqual(columnsOf(storedStream()));
  expect(database.all("SELECT schema_version FROM stream")).toEqual([{ schema_version: SCHEMA_VERSION }]);
});
