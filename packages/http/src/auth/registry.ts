/**
 * The edge's view of the project records in KV `REGISTRY`, one per isolate: a bounded cache, at most `FRESH_MS` behind KV.
 * While KV cannot be read, the records of the last few minutes stay valid.
 */

import {
  isProjectName,
  RECORD_KEY_PREFIX,
  type ProjectRecord,
} from "@durable-streams-cloudflare/core/contracts/project-record";
import { monotonicMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { projectOf, type Project } from "@durable-streams-cloudflare/core/project/project";
import { parseReaderKey, type StoredReaderKey } from "@durable-streams-cloudflare/core/project/reader-key";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

const READER_KEY_PREFIX = "reader-key:";

/** A change needs as long to be seen everywhere, beyond KV's own delay of up to a minute. */
const FRESH_MS = 30_000;
const STALE_MS_MAX = 300_000;
/**
 * While one request reads what is no longer fresh, the others go on with what was known, and wait for nothing of each other.
 */
const READING_MS_MAX = 5_000;
const ENTRIES_MAX = 1_000;

/** The part of a KV namespace that is used here. */
export interface RegistryStore {
  get(key: string): Promise<string | null>;
}

interface Entry<Value> {
  readonly value: Value | undefined;
  readonly readAtMs: number;
  /** Since when somebody has been reading it anew. */
  readingSinceMs?: number;
}

/** One isolate's cache of project records and reader keys. */
export class Registry {
  readonly #projects: KvCache<Project>;
  readonly #readerKeys: KvCache<StoredReaderKey>;

  constructor(store: RegistryStore, now: () => number = monotonicMs) {
    this.#projects = new KvCache(store, now, (text) => projectOf(JSON.parse(text) as ProjectRecord));
    this.#readerKeys = new KvCache(store, now, async (text) => parseReaderKey(text));
  }

  /** Whether a look-up of the project needs no read of KV, because the cache knows whether the project exists. */
  knows(name: string): boolean {
    return !isProjectName(name) || this.#projects.knows(RECORD_KEY_PREFIX + name);
  }

  /** Looks up a project; `undefined` if it does not exist. Refuses while KV cannot be read. */
  async project(name: string): Promise<Result<{ project: Project | undefined }>> {
    if (!isProjectName(name)) return { ok: true, project: undefined };
    const found = await this.#projects.get(RECORD_KEY_PREFIX + name);
    return found.ok ? { ok: true, project: found.value } : found;
  }

  /** Whether a look-up of the stream's reader key needs no read of KV. */
  knowsReaderKey(project: string, stream: string): boolean {
    return this.#readerKeys.knows(readerKeyKey(project, stream));
  }

  /** Looks up a stream's reader key; `undefined` if it has none. Refuses while KV cannot be read. */
  async readerKey(project: string, stream: string): Promise<Result<{ readerKey: StoredReaderKey | undefined }>> {
    const found = await this.#readerKeys.get(readerKeyKey(project, stream));
    return found.ok ? { ok: true, readerKey: found.value } : found;
  }

  /** Drops a project's cached record, or a stream's cached reader key, after this isolate has changed it. */
  forget(project: string, stream?: string): void {
    if (stream === undefined) this.#projects.forget(RECORD_KEY_PREFIX + project);
    else this.#readerKeys.forget(readerKeyKey(project, stream));
  }
}

/** The key in KV of a stream's reader key. */
export function readerKeyKey(project: string, stream: string): string {
  return `${READER_KEY_PREFIX}${project}/${stream}`;
}

class KvCache<Value> {
  readonly #store: RegistryStore;
  readonly #now: () => number;
  readonly #parse: (text: string) => Promise<Value | undefined>;
  /**
   * In the order of their reading, oldest first. What is not there is kept apart: made-up names must not drive out real ones.
   */
  readonly #found = new Map<string, Entry<Value>>();
  readonly #missing = new Map<string, Entry<Value>>();
  /** What was being read when something was forgotten may be what it was before. */
  #forgotten = 0;

  constructor(store: RegistryStore, now: () => number, parse: (text: string) => Promise<Value | undefined>) {
    this.#store = store;
    this.#now = now;
    this.#parse = parse;
  }

  async get(key: string): Promise<Result<{ value: Value | undefined }>> {
    const known = this.#found.get(key) ?? this.#missing.get(key);
    const nowMs = this.#now();
    if (known !== undefined) {
      if (nowMs - known.readAtMs < FRESH_MS) return { ok: true, value: known.value };
      const isBeingRead = nowMs - (known.readingSinceMs ?? -Infinity) < READING_MS_MAX;
      if (isBeingRead && nowMs - known.readAtMs < STALE_MS_MAX) return { ok: true, value: known.value };
      known.readingSinceMs = nowMs;
    }
    try {
      return { ok: true, value: await this.#read(key) };
    } catch {
      const isTrue = known !== undefined && this.#now() - known.readAtMs < STALE_MS_MAX;
      return isTrue ? { ok: true, value: known.value } : refuseRegistry();
    }
  }

  /** Whether this is there, or is known not to be. */
  knows(key: string): boolean {
    const missing = this.#missing.get(key);
    return this.#found.has(key) || (missing !== undefined && this.#now() - missing.readAtMs < FRESH_MS);
  }

  forget(key: string): void {
    this.#delete(key);
    this.#forgotten += 1;
  }

  async #read(key: string): Promise<Value | undefined> {
    const readAtMs = this.#now();
    const forgotten = this.#forgotten;
    const text = await this.#store.get(key);
    const value = text === null ? undefined : await this.#parse(text);
    if (forgotten !== this.#forgotten) return value;
    this.#delete(key);
    const entries = value === undefined ? this.#missing : this.#found;
    const [oldest] = entries.keys();
    if (entries.size >= ENTRIES_MAX && oldest !== undefined) entries.delete(oldest);
    entries.set(key, { value, readAtMs });
    return value;
  }

  #delete(key: string): void {
    this.#found.delete(key);
    this.#missing.delete(key);
  }
}

function refuseRegistry(): Refusal {
  return refuse("unavailable", "The registry of projects could not be read.", { headers: { "Retry-After": "1" } });
}
