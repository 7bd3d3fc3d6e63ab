/**
 * Table `stream`: the one row of a stream. Written by its creation, by checkpoints (see `checkpoint`), and by reads
 * that renew a sliding lifetime, coarsely; never by an append.
 *
 * Row: incarnation (see `lifecycle/incarnation.ts`) · content type as its creator spelled it · lifetime · `touched_at_ms`, the
 * last renewal on disk · `checkpoint_position`: what log rows before it say about producers and Stream-Seq has been
 * folded into the `producers` table, `stream_seq` and `closure` (JSON, of a closed stream) · `attempts`: JSON, requests that
 * may still be repeated and that no row of the log remembers (`append/request-rows.ts`) · `origin`: JSON, of a fork only · `deleted`: 1 once it was
 * deleted while forks need its bytes · retention · `earliest_position`: what lies before it has been let go of ·
 * `allowance_bytes`: what its project lets it store, null: as much as it likes · `consumers`: JSON, the subscriptions that it
 * wakes, if any · `records_authors`: 1 if the notes of its appends say who wrote them.
 */

import { FOREVER, type Ancestor, type Lifetime, type Retention } from "@durable-streams-cloudflare/protocol";

import { firstRow, type Database } from "../../kit/database.ts";
import type { CommitNotes } from "../../log/commit-notes.ts";
import { SCHEMA_VERSION } from "./schema.ts";

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

/** What the log's notes have come to at a position. */
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

type Columns = {
  incarnation: number;
  content_type: string;
  ttl_seconds: number | null;
  expires_at_ms: number | null;
  touched_at_ms: number;
  checkpoint_position: number;
  stream_seq: string | null;
  closure: string | null;
  attempts: string | null;
  origin: string | null;
  retention_seconds: number | null;
  retention_bytes: number | null;
  earliest_position: number;
  deleted: number;
  kind: StreamKind;
  followed: number | null;
  allowance_bytes: number | null;
  consumers: string | null;
  records_authors: number;
};

export function readStreamRow(database: Database): StreamRow | undefined {
  const row = firstRow<Columns>(
    database,
    `SELECT incarnation, content_type, ttl_seconds, expires_at_ms, touched_at_ms, checkpoint_position, stream_seq,
            closure, attempts, origin, deleted, retention_seconds, retention_bytes, earliest_position, kind, followed,
            allowance_bytes, consumers, records_authors
     FROM stream WHERE id = 1`,
  );
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

export function insertStreamRow(
  database: Database,
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
    `INSERT INTO stream (id, schema_version, incarnation, content_type, ttl_seconds, expires_at_ms, touched_at_ms,
                         checkpoint_position, origin, retention_seconds, retention_bytes, earliest_position, kind,
                         records_authors, attempts)
     VALUES (1, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`,
    SCHEMA_VERSION,
    row.incarnation,
    row.contentType,
    row.lifetime.kind === "ttl" ? row.lifetime.ttlSeconds : null,
    row.lifetime.kind === "at" ? row.lifetime.expiresAtMs : null,
    row.touchedAtMs,
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
  database.run("UPDATE stream SET earliest_position = ? WHERE id = 1", earliest);
}

export function markDeleted(database: Database): void {
  database.run("UPDATE stream SET deleted = 1 WHERE id = 1");
}

export function updateFollowed(database: Database, token: number | null): void {
  database.run("UPDATE stream SET followed = ? WHERE id = 1", token);
}

export function updateQuotaGrant(database: Database, quotaGrant: number | null): void {
  database.run("UPDATE stream SET allowance_bytes = ? WHERE id = 1", quotaGrant);
}

export function updateConsumers(database: Database, consumers: readonly string[]): void {
  const text = consumers.length === 0 ? null : JSON.stringify(consumers);
  database.run("UPDATE stream SET consumers = ? WHERE id = 1", text);
}

export function updateTouchedAt(database: Database, touchedAtMs: number): void {
  database.run("UPDATE stream SET touched_at_ms = ? WHERE id = 1", touchedAtMs);
}

export function updateCheckpoint(database: Database, { position, streamSeq, closure, touchedAtMs }: Checkpoint): void {
  database.run(
    "UPDATE stream SET checkpoint_position = ?, stream_seq = ?, closure = ?, touched_at_ms = ? WHERE id = 1",
    position,
    streamSeq ?? null,
    closure === undefined ? null : JSON.stringify(closure),
    touchedAtMs,
  );
}

export function updateRequests(database: Database, requests: readonly StoredRequest[]): void {
  database.run("UPDATE stream SET attempts = ? WHERE id = 1", storedRequests(requests));
}

function storedRequests(requests: readonly StoredRequest[]): string | null {
  return requests.length === 0 ? null : JSON.stringify(requests);
}

function lifetimeOf(row: Columns): Lifetime {
  if (row.ttl_seconds !== null) return { kind: "ttl", ttlSeconds: row.ttl_seconds };
  if (row.expires_at_ms !== null) return { kind: "at", expiresAtMs: row.expires_at_ms };
  return FOREVER;
}
