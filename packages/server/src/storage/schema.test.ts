import { KEEP_ALL } from "@durable-streams-cloudflare/protocol";
import { NodeDatabase } from "@durable-streams-cloudflare/testkit/node-host";
import { expect, it } from "vitest";

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
const NEW = { checkpointPosition: 0, streamSeq: undefined, closure: undefined, attempts: [], deleted: false };

function storedStream(): NodeDatabase {
  const database = new NodeDatabase();
  createSchema(database);
  insertStreamRow(database, ROW);
  return database;
}

it("a database without a stream is told by a look that writes nothing", () => {
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

it("a stream of a newer server is refused, and not touched", () => {
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
