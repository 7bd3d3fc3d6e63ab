import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { expect, it } from "vitest";

import { NodeDatabase } from "../../../test/node-database.ts";
import { rowsOf } from "../../../test/stored-rows.ts";
import { HotLog } from "../../log/hot-log.ts";
import { rowNotesSince } from "../../log/log-rows.ts";
import { hasSegments } from "../../log/segment-rows.ts";
import { deleteFork, hasForks, insertFork } from "./fork-rows.ts";
import { producersTable, readProducer, upsertProducers } from "./producer-rows.ts";
import { createSchema, dropSchema, STREAM_SCHEMA } from "./schema.ts";
import { insertStreamRow, readStreamRow, streamTable } from "./stream-row.ts";

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
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  insertStreamRow(database, STREAM_SCHEMA.version, ROW);
  return database;
}

it("a look at a database without a stream writes nothing", () => {
  const database = new NodeDatabase(STREAM_SCHEMA);
  expect(database.tables.upgrade()).toBe("empty");
  expect(database.tableNames()).toEqual([]);
  createSchema(database);
  expect(database.tables.has(streamTable)).toBe(true);
});

it("a stream begins with the tables that each stream needs: each of the others costs two rows when it is first needed", () => {
  const database = storedStream();
  expect(database.tableNames()).toEqual(["log", "stream"]);
  expect([readProducer(database, "p"), hasForks(database), hasSegments(database)]).toEqual([undefined, false, false]);
  deleteFork(database, "f");
  upsertProducers(database, new Map());
  expect(database.tableNames()).toEqual(["log", "stream"]);
  upsertProducers(database, new Map([["p", { epoch: 1, seq: 1 }]]));
  insertFork(database, "f", "project/fork");
  expect(database.tableNames()).toEqual(["forks", "log", "producers", "stream"]);
  dropSchema(database);
  expect(database.tableNames()).toEqual([]);
});

it("a stream of this version is left as it is", () => {
  const database = storedStream();
  const before = database.rowsWritten;
  database.tables.upgrade();
  expect(database.rowsWritten).toBe(before);
  expect(readStreamRow(database)).toEqual({ ...ROW, ...NEW });
});

it("creating anew drops all that an expired stream left", () => {
  const database = storedStream();
  upsertProducers(database, new Map([["p", { epoch: 1, seq: 1 }]]));
  new HotLog(database).insertCommit(0, new Uint8Array(3), {}, 1);
  createSchema(database);
  expect([rowsOf(database, streamTable), database.tables.has(producersTable)]).toEqual([[], false]);
  expect(rowNotesSince(database, 0, 0)).toEqual([]);
});

it.each([
  { kind: "forever" },
  { kind: "ttl", ttlSeconds: 0 },
  { kind: "ttl", ttlSeconds: 9 },
  { kind: "at", expiresAtMs: 1_900_000_000_000 },
] as const)("a lifetime of $kind is read back", (lifetime) => {
  const database = new NodeDatabase(STREAM_SCHEMA);
  createSchema(database);
  insertStreamRow(database, STREAM_SCHEMA.version, { ...ROW, lifetime });
  expect(readStreamRow(database)?.lifetime).toEqual(lifetime);
});
