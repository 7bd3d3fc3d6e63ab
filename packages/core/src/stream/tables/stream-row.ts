/**
 * Table `stream`: the one row of a stream. Written by its creation, by checkpoints (see `checkpoint`), and by reads
 * that renew a sliding lifetime, coarsely; never by an append.
 *
 * Row: incarnation (see `lifecycle/incarnation.ts`) · content type as its creator spelled it · lifetime · `touched_at_ms`, the
 * last renewal on disk · `checkpoint_position`: what log rows before it say about producers and Stream-Seq has been
 * folded into the `producers` table, `stream_seq` and `closure` (JSON, of a closed stream) · `attempts`: JSON, requests that
 * may still be repeated and that no row of the log remembers (`append/request-rows.ts`) · `origin`: JSON, of a fork only ·
 * `deleted`: 1 once it was deleted while forks need its bytes · retention · `earliest_position`: what lies before it has been
 * let go of · `allowance_bytes`: what its project lets it store, null: as much as it likes · `consumers`: JSON, the
 * subscriptions that it wakes, if any · `records_authors`: 1 if the notes of its appends say who wrote them.
 */

import { FOREVER, type Ancestor, type Lifetime, type Retention } from "@durable-streams-cloudflare/protocol";

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, onlyRow, since, text, type RowOf } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";
import type { CommitNotes } from "../../log/commit-notes.ts";

/** Where a fork comes from, and what its creator asked for: a repeated create is compared with it. */
export interface Origin {
  readonly forkId: string;
  /** The source's full name. */
  readonly source: string;
  /** As asked for, canonical; null: the tail. */
  readonly offset: string | null;
  readonly subOffset: number;
  /** The creator named no lifetime, and got the source's. */
  readonly inheritsLifetime: boolean;
  readonly ancestors: readonly Ancestor[];
}

/** A request id, where its bytes ended, and in which incarnation, unless it is the stream's own. */
export type StoredRequest = readonly [id: string, end: number, incarnation?: number];

/** `session`: its sources are appended to it, and nothing else is (`session/sessions.ts`). */
export type StreamKind = "plain" | "session";

/** The accumulated effect of the log's notes up to a position. */
export interface Checkpoint {
  readonly position: number;
  readonly streamSeq: string | undefined;
  readonly closure: CommitNotes["closed"];
  /** The last renewal of a sliding lifetime that the disk knows of, by a read or by an append's row. */
  readonly touchedAtMs: number;
}

export interface StreamRow {
  readonly incarnation: number;
  readonly contentType: string;
  readonly lifetime: Lifetime;
  readonly retention: Retention;
  readonly earliest: number;
  readonly touchedAtMs: number;
  readonly checkpointPosition: number;
  readonly streamSeq: string | undefined;
  readonly closure: CommitNotes["closed"];
  readonly requests: readonly StoredRequest[];
  readonly origin: Origin | undefined;
  readonly deleted: boolean;
  readonly kind: StreamKind;
  readonly followed: number | null;
  readonly quotaGrant: number | null;
  readonly consumers: readonly string[];
  readonly recordsAuthors: boolean;
}

export const streamTable = table({
  kind: "stream",
  name: "stream",
  columns: {
    id: onlyRow(),
    schema_version: integer(),
    incarnation: integer(),
    content_type: text(),
    ttl_seconds: nullable(integer()),
    expires_at_ms: nullable(integer()),
    touched_at_ms: integer(),
    checkpoint_position: integer(),
    stream_seq: nullable(text()),
    origin: nullable(text()),
    deleted: integer(0),
    closure: since(2, nullable(text())),
    attempts: since(2, nullable(text())),
    retention_seconds: since(3, nullable(integer())),
    retention_bytes: since(3, nullable(integer())),
    earliest_position: since(3, integer(0)),
    kind: since(4, text<StreamKind>("plain")),
    followed: since(4, nullable(integer())),
    allowance_bytes: since(5, nullable(integer())),
    consumers: since(6, nullable(text())),
    records_authors: since(7, integer(0)),
  },
  key: ["id"],
});

const READ = streamTable.select(
  [
    "incarnation",
    "content_type",
    "ttl_seconds",
    "expires_at_ms",
    "touched_at_ms",
    "checkpoint_position",
    "stream_seq",
    "closure",
    "attempts",
    "origin",
    "deleted",
    "retention_seconds",
    "retention_bytes",
    "earliest_position",
    "kind",
    "followed",
    "allowance_bytes",
    "consumers",
    "records_authors",
  ],
  { where: "id = 1" },
);
const INSERT = streamTable.insert([
  "id",
  "schema_version",
  "incarnation",
  "content_type",
  "ttl_seconds",
  "expires_at_ms",
  "touched_at_ms",
  "checkpoint_position",
  "origin",
  "retention_seconds",
  "retention_bytes",
  "earliest_position",
  "kind",
  "records_authors",
  "attempts",
]);
const UPDATE_EARLIEST = streamTable.update("earliest_position = ?", "id = 1");
const MARK_DELETED = streamTable.update("deleted = 1", "id = 1");
const UPDATE_FOLLOWED = streamTable.update("followed = ?", "id = 1");
const UPDATE_QUOTA_GRANT = streamTable.update("allowance_bytes = ?", "id = 1");
const UPDATE_CONSUMERS = streamTable.update("consumers = ?", "id = 1");
const UPDATE_TOUCHED_AT = streamTable.update("touched_at_ms = ?", "id = 1");
const UPDATE_CHECKPOINT = streamTable.update(
  "checkpoint_position = ?, stream_seq = ?, closure = ?, touched_at_ms = ?",
  "id = 1",
);
const UPDATE_REQUESTS = streamTable.update("attempts = ?", "id = 1");

export function readStreamRow(database: Database): StreamRow | undefined {
  const row = firstRow(database, READ);
  if (row === undefined) return undefined;
  return {
    incarnation: row.incarnation,
    contentType: row.content_type,
    lifetime: lifetimeOf(row),
    retention: { seconds: row.retention_seconds ?? undefined, bytes: row.retention_bytes ?? undefined },
    earliest: row.earliest_position,
    touchedAtMs: row.touched_at_ms,
    checkpointPosition: row.checkpoint_position,
    streamSeq: row.stream_seq ?? undefined,
    closure: row.closure === null ? undefined : (JSON.parse(row.closure) as CommitNotes["closed"]),
    requests: row.attempts === null ? [] : (JSON.parse(row.attempts) as StoredRequest[]),
    origin: row.origin === null ? undefined : (JSON.parse(row.origin) as Origin),
    deleted: row.deleted === 1,
    kind: row.kind,
    followed: row.followed,
    quotaGrant: row.allowance_bytes,
    consumers: row.consumers === null ? [] : (JSON.parse(row.consumers) as string[]),
    recordsAuthors: row.records_authors === 1,
  };
}

/** @param schemaVersion of the tables that were made for it. */
export function insertStreamRow(
  database: Database,
  schemaVersion: number,
  row: Pick<
    StreamRow,
    "incarnation" | "contentType" | "lifetime" | "retention" | "earliest" | "touchedAtMs" | "origin"
  > & {
    readonly kind?: StreamKind;
    readonly recordsAuthors?: boolean;
    readonly requests?: readonly StoredRequest[];
  },
): void {
  database.run(
    INSERT,
    1,
    schemaVersion,
    row.incarnation,
    row.contentType,
    row.lifetime.kind === "ttl" ? row.lifetime.ttlSeconds : null,
    row.lifetime.kind === "at" ? row.lifetime.expiresAtMs : null,
    row.touchedAtMs,
    0,
    row.origin === undefined ? null : JSON.stringify(row.origin),
    row.retention.seconds ?? null,
    row.retention.bytes ?? null,
    row.earliest,
    row.kind ?? "plain",
    row.recordsAuthors === true ? 1 : 0,
    storedRequests(row.requests ?? []),
  );
}

export function updateEarliest(database: Database, earliest: number): void {
  database.run(UPDATE_EARLIEST, earliest);
}

export function markDeleted(database: Database): void {
  database.run(MARK_DELETED);
}

export function updateFollowed(database: Database, token: number | null): void {
  database.run(UPDATE_FOLLOWED, token);
}

export function updateQuotaGrant(database: Database, quotaGrant: number | null): void {
  database.run(UPDATE_QUOTA_GRANT, quotaGrant);
}

export function updateConsumers(database: Database, consumers: readonly string[]): void {
  const text = consumers.length === 0 ? null : JSON.stringify(consumers);
  database.run(UPDATE_CONSUMERS, text);
}

export function updateTouchedAt(database: Database, touchedAtMs: number): void {
  database.run(UPDATE_TOUCHED_AT, touchedAtMs);
}

export function updateCheckpoint(database: Database, { position, streamSeq, closure, touchedAtMs }: Checkpoint): void {
  database.run(
    UPDATE_CHECKPOINT,
    position,
    streamSeq ?? null,
    closure === undefined ? null : JSON.stringify(closure),
    touchedAtMs,
  );
}

export function updateRequests(database: Database, requests: readonly StoredRequest[]): void {
  database.run(UPDATE_REQUESTS, storedRequests(requests));
}

function storedRequests(requests: readonly StoredRequest[]): string | null {
  return requests.length === 0 ? null : JSON.stringify(requests);
}

function lifetimeOf(row: Pick<RowOf<typeof streamTable.columns>, "ttl_seconds" | "expires_at_ms">): Lifetime {
  if (row.ttl_seconds !== null) return { kind: "ttl", ttlSeconds: row.ttl_seconds };
  if (row.expires_at_ms !== null) return { kind: "at", expiresAtMs: row.expires_at_ms };
  return FOREVER;
}
