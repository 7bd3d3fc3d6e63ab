/**
 * A project's record: its secrets, its settings and its limits. `ProjectDO` owns the record; KV `REGISTRY` holds the copy that
 * the edge reads, as JSON.
 */

import type { ReaderBudget } from "./reader-slots.ts";

/** The KV key of a project's record. */
export const RECORD_KEY_PREFIX = "project:";

/** Projects' names: also a path segment, part of object names, and of KV keys. */
const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export interface ProjectSecret {
  /** Names the secret in tokens' headers. */
  readonly kid: string;
  /** The HMAC key is this text's UTF-8 bytes. */
  readonly secret: string;
  readonly createdAtMs: number;
}

/** Whose signatures a project accepts besides its own. */
export interface Issuer {
  readonly jwksUrl: string;
  /** The `iss` that its tokens must have. */
  readonly issuer: string;
}

/** What a project may use; `null`, or nothing in records that are older than the limit: as much as it likes. */
export interface ProjectLimits {
  readonly requestsPerMinute?: number | null;
  /** By public streams, read URLs and reader keys; without it as many as the above, counted apart. */
  readonly publicRequestsPerMinute?: number | null;
  readonly appendBytesPerMinute?: number | null;
  /** Of each stream. */
  readonly streamAppendsPerMinute?: number | null;
  readonly streamAppendBytesPerMinute?: number | null;
  /** How many it has. */
  readonly streams?: number | null;
  /** Bytes that all of them store. */
  readonly storedBytes?: number | null;
  /** Readers that wait on all of them at the same time. */
  readonly liveReaders?: number | null;
  /** The same, by public streams, read URLs and reader keys; without it as many as the above, counted apart. */
  readonly publicLiveReaders?: number | null;
}

/** How many live readers of one kind a project may have; `null`: as many as it likes. */
export function liveReadersMax(limits: ProjectLimits | undefined, budget: ReaderBudget): number | null {
  const max = limits?.liveReaders ?? null;
  return budget === "public" ? (limits?.publicLiveReaders ?? max) : max;
}

/** What a stream is that is created without saying so; `null`, or nothing in older records: what the protocol says. */
export interface StreamDefaults {
  readonly contentType?: string | null;
  readonly ttlSeconds?: number | null;
  readonly retentionSeconds?: number | null;
  readonly retentionBytes?: number | null;
}

/** What may be changed by `PATCH`. */
export interface ProjectSettings {
  /** Origins that browsers may call from; `null`: those of the server. */
  readonly corsOrigins: readonly string[] | null;
  /** Patterns of the streams that everybody may read. */
  readonly publicStreams: readonly string[];
  readonly issuer: Issuer | null;
  /** The `aud` that tokens must have; `null`: none. */
  readonly audience: string | null;
  /** Whether webhooks are sent only to URLs that have answered a challenge; missing in older records: they are not. */
  readonly webhookChallenge?: boolean;
  /** Changed each by itself. */
  readonly defaults: StreamDefaults;
  /** Only the holder of ADMIN_SECRET changes these, each by itself. */
  readonly limits: ProjectLimits;
}

export interface ProjectRecord extends ProjectSettings {
  readonly name: string;
  readonly createdAtMs: number;
  /** Newest first; never empty. */
  readonly secrets: readonly ProjectSecret[];
  /** Signed read URLs that were made before this instant are void. */
  readonly readUrlsFromMs: number;
}

/** A record as its manager may see it: secrets are shown once, when they are made. */
export interface ProjectView extends Omit<ProjectRecord, "secrets"> {
  readonly secrets: readonly Omit<ProjectSecret, "secret">[];
}

export const DEFAULT_SETTINGS: ProjectSettings = {
  corsOrigins: null,
  publicStreams: [],
  issuer: null,
  audience: null,
  webhookChallenge: false,
  defaults: { contentType: null, ttlSeconds: null, retentionSeconds: null, retentionBytes: null },
  limits: {
    requestsPerMinute: null,
    publicRequestsPerMinute: null,
    appendBytesPerMinute: null,
    streamAppendsPerMinute: null,
    streamAppendBytesPerMinute: null,
    streams: null,
    storedBytes: null,
    liveReaders: null,
    publicLiveReaders: null,
  },
};

export function isProjectName(name: string): boolean {
  return PROJECT_NAME.test(name);
}

export function viewOf(record: ProjectRecord): ProjectView {
  return { ...record, secrets: record.secrets.map(({ kid, createdAtMs }) => ({ kid, createdAtMs })) };
}
