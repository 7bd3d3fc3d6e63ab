/**
 * How servers made their databases, version by version, in their own words: never to be edited. A version that is added
 * here is what the release before this one made.
 */

import { ESTUARY_SCHEMA } from "../src/fan-out/session/estuary-rows.ts";
import { LINK_SCHEMA } from "../src/fan-out/source/tables.ts";
import type { Schema } from "../src/kit/sql/schema.ts";
import { PROJECT_SCHEMA } from "../src/project/tables/schema.ts";
import { STREAM_SCHEMA } from "../src/stream/tables/schema.ts";
import { WAKE_SCHEMA } from "../src/wakes/tables/subscription-rows.ts";

export interface OlderDatabase {
  readonly schema: Schema;
  /** What makes a database of version 1, with some rows. */
  readonly first: readonly string[];
  /** What brought each version to the next. */
  readonly steps: readonly (readonly string[])[];
  /** Written by a server of the first version, should it be deployed again. */
  readonly write: string;
}

const VERSION_TABLE = "CREATE TABLE schema_version (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL)";

const STREAM: OlderDatabase = {
  schema: STREAM_SCHEMA,
  first: [
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
  ],
  steps: [
    [
      `CREATE TABLE segments (
        first INTEGER PRIMARY KEY,
        last INTEGER NOT NULL,
        committed_at_ms INTEGER NOT NULL,
        blocks BLOB NOT NULL
      )`,
      "ALTER TABLE stream ADD COLUMN closure TEXT",
      "ALTER TABLE stream ADD COLUMN attempts TEXT",
      "UPDATE stream SET schema_version = 2",
    ],
    [
      "ALTER TABLE stream ADD COLUMN retention_seconds INTEGER",
      "ALTER TABLE stream ADD COLUMN retention_bytes INTEGER",
      "ALTER TABLE stream ADD COLUMN earliest_position INTEGER NOT NULL DEFAULT 0",
      "UPDATE stream SET schema_version = 3",
    ],
    [
      "ALTER TABLE stream ADD COLUMN kind TEXT NOT NULL DEFAULT 'plain'",
      "ALTER TABLE stream ADD COLUMN followed INTEGER",
      "UPDATE stream SET schema_version = 4",
    ],
    ["ALTER TABLE stream ADD COLUMN allowance_bytes INTEGER", "UPDATE stream SET schema_version = 5"],
    ["ALTER TABLE stream ADD COLUMN consumers TEXT", "UPDATE stream SET schema_version = 6"],
    [
      "ALTER TABLE stream ADD COLUMN records_authors INTEGER NOT NULL DEFAULT 0",
      // Made when they were first needed, of any version.
      "CREATE TABLE notices (id INTEGER PRIMARY KEY CHECK (id = 1), notice TEXT NOT NULL, due_at_ms INTEGER NOT NULL)",
      "CREATE TABLE end_notices (id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL)",
      "CREATE TABLE debts (id TEXT PRIMARY KEY, source TEXT NOT NULL, due_at_ms INTEGER NOT NULL) WITHOUT ROWID",
      "CREATE TABLE garbage (prefix TEXT PRIMARY KEY, due_at_ms INTEGER NOT NULL, looks INTEGER NOT NULL) WITHOUT ROWID",
      "UPDATE stream SET schema_version = 7",
    ],
  ],
  write: "INSERT INTO log (position, committed_at_ms, notes, bytes) VALUES (3, 4, NULL, x'64')",
};

const SOURCE: OlderDatabase = {
  schema: LINK_SCHEMA,
  first: [
    "CREATE TABLE IF NOT EXISTS source (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)",
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
    "CREATE INDEX IF NOT EXISTS links_behind ON links (retry_at_ms) WHERE position IS NOT NULL",
    `INSERT INTO source (id, facts) VALUES (1, '{"token":7,"incarnation":5,"position":3,"activeAtMs":1}')`,
    `INSERT INTO links (session, link, session_incarnation, format, incarnation, start, start_offset, position)
     VALUES ('p/alice', 2, 9, 'envelope', 5, 3, 'offset', NULL)`,
  ],
  steps: [
    [
      "ALTER TABLE links ADD COLUMN kid TEXT",
      "ALTER TABLE links ADD COLUMN user TEXT",
      "ALTER TABLE links ADD COLUMN expires_at_ms INTEGER",
      "ALTER TABLE links ADD COLUMN since_ms INTEGER",
      "ALTER TABLE links ADD COLUMN ended TEXT",
      `CREATE INDEX IF NOT EXISTS links_expiring ON links (expires_at_ms)
       WHERE expires_at_ms IS NOT NULL AND ended IS NULL`,
      "CREATE TABLE IF NOT EXISTS link_keys (kid TEXT PRIMARY KEY, ended INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
      VERSION_TABLE,
      "INSERT INTO schema_version (id, version) VALUES (1, 2)",
    ],
  ],
  write: `INSERT INTO links (session, link, session_incarnation, format, incarnation, start, start_offset, position)
          VALUES ('p/bob', 2, 9, 'envelope', 5, 3, 'offset', NULL)`,
};

const SESSION: OlderDatabase = {
  schema: ESTUARY_SCHEMA,
  first: [
    "CREATE TABLE IF NOT EXISTS estuary (id INTEGER PRIMARY KEY CHECK (id = 1), facts TEXT NOT NULL)",
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
    "CREATE INDEX IF NOT EXISTS sources_unsettled ON sources (due_at_ms) WHERE state <> 'active'",
    `INSERT INTO estuary (id, facts) VALUES (1, '{"incarnation":9,"lastLink":2}')`,
    `INSERT INTO sources (source, link, format, state, start_offset, due_at_ms)
     VALUES ('p/chat', 2, 'raw', 'active', 'offset', 0)`,
  ],
  steps: [
    [
      "ALTER TABLE sources ADD COLUMN expires_at_ms INTEGER",
      VERSION_TABLE,
      "INSERT INTO schema_version (id, version) VALUES (1, 2)",
    ],
  ],
  write: `INSERT INTO sources (source, link, format, state, start_offset, due_at_ms)
          VALUES ('p/news', 2, 'raw', 'active', 'offset', 0)`,
};

const WAKES: OlderDatabase = {
  schema: WAKE_SCHEMA,
  first: [
    `CREATE TABLE IF NOT EXISTS consumer (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      facts TEXT NOT NULL,
      progress TEXT NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS links (
      path TEXT PRIMARY KEY,
      is_explicit INTEGER NOT NULL,
      is_glob INTEGER NOT NULL,
      since_ms INTEGER NOT NULL,
      incarnation INTEGER,
      acked TEXT NOT NULL,
      tail TEXT NOT NULL,
      grown_at_ms INTEGER NOT NULL DEFAULT 0,
      ask_at_ms INTEGER,
      failures INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID`,
    "CREATE INDEX IF NOT EXISTS links_pending ON links (grown_at_ms) WHERE tail > acked",
    "CREATE INDEX IF NOT EXISTS links_to_ask ON links (ask_at_ms) WHERE ask_at_ms IS NOT NULL",
    `INSERT INTO consumer (id, facts, progress)
     VALUES (1, '{"type":"webhook"}', '{"generation":4,"wake":null,"hasFailed":false,"attempts":[]}')`,
    `INSERT INTO links (path, is_explicit, is_glob, since_ms, acked, tail) VALUES ('chat', 1, 0, 5, '-1', '-1')`,
  ],
  steps: [],
  write: `INSERT INTO links (path, is_explicit, is_glob, since_ms, acked, tail) VALUES ('news', 1, 0, 5, '-1', '-1')`,
};

const PROJECT: OlderDatabase = {
  schema: PROJECT_SCHEMA,
  first: [
    `CREATE TABLE IF NOT EXISTS project (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      record TEXT,
      removed_at_ms INTEGER,
      published INTEGER NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS streams (
      name TEXT PRIMARY KEY,
      incarnation INTEGER NOT NULL,
      content_type TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS counters (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      streams INTEGER NOT NULL,
      created INTEGER NOT NULL,
      ended INTEGER NOT NULL
    )`,
    "CREATE TABLE IF NOT EXISTS stored (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS stored_total (id INTEGER PRIMARY KEY CHECK (id = 1), bytes INTEGER NOT NULL)",
    `CREATE TABLE IF NOT EXISTS places (
      name TEXT PRIMARY KEY,
      places INTEGER NOT NULL,
      until_ms INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS public_places (
      name TEXT PRIMARY KEY,
      places INTEGER NOT NULL,
      until_ms INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS registry_events (
      epoch INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      name TEXT NOT NULL,
      content_type TEXT,
      at_ms INTEGER NOT NULL,
      told INTEGER NOT NULL,
      PRIMARY KEY (epoch, seq)
    ) WITHOUT ROWID`,
    "CREATE TABLE IF NOT EXISTS registry_retelling (id INTEGER PRIMARY KEY CHECK (id = 1), after TEXT NOT NULL)",
    `CREATE TABLE IF NOT EXISTS consumers (
      id TEXT PRIMARY KEY,
      type TEXT NOT NULL,
      pattern TEXT,
      created_at_ms INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS consumer_streams (
      stream TEXT NOT NULL,
      consumer TEXT NOT NULL,
      PRIMARY KEY (stream, consumer)
    ) WITHOUT ROWID`,
    "CREATE TABLE IF NOT EXISTS consumer_changes (stream TEXT PRIMARY KEY, incarnation INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS consumer_streams_of ON consumer_streams (consumer)",
    `CREATE TABLE IF NOT EXISTS signing_keys (
      kid TEXT PRIMARY KEY,
      jwk TEXT NOT NULL,
      created_at_ms INTEGER NOT NULL,
      retired_at_ms INTEGER
    ) WITHOUT ROWID`,
    `CREATE TABLE IF NOT EXISTS link_keys (
      source TEXT NOT NULL,
      kid TEXT NOT NULL,
      token INTEGER NOT NULL,
      PRIMARY KEY (source, kid)
    ) WITHOUT ROWID`,
    "CREATE TABLE IF NOT EXISTS ended_keys (kid TEXT PRIMARY KEY, after TEXT) WITHOUT ROWID",
    `INSERT INTO project (id, record, removed_at_ms, published) VALUES (1, '{"name":"p"}', NULL, 1)`,
    "INSERT INTO streams (name, incarnation, content_type, created_at_ms) VALUES ('chat', 7, 'text/plain', 5)",
    "INSERT INTO counters (id, streams, created, ended) VALUES (1, 1, 1, 0)",
  ],
  steps: [],
  write: "INSERT INTO streams (name, incarnation, content_type, created_at_ms) VALUES ('news', 8, 'text/plain', 5)",
};

export const OLDER_DATABASES: readonly OlderDatabase[] = [STREAM, SOURCE, SESSION, WAKES, PROJECT];
