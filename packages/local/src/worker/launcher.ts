/** What this Worker asks of its launcher; `../launcher-service.ts` answers. */

import type { StorageFault, StorageState } from "../storage-state.ts";

/** The binding. */
export interface Launcher {
  fetch(url: string, init?: { method: string }): Promise<Pick<Response, "status" | "json">>;
}

const ROOT = "http://launcher";
/** How long an answer about the disk counts. */
const FRESH_MS = 1_000;

/** What a byte takes on the disk until the journal of its database is emptied, at the most. */
const BYTES_ON_DISK = 2;

/** Whether the disk takes more, asked once a second, and again before more is let in than it had room for. */
export class DiskStatus {
  readonly #launcher: () => Launcher;
  readonly #now: () => number;
  #latest: StorageState = { fault: null, roomBytes: Infinity };
  #askedAtMs = -Infinity;
  /** Bytes let in lately: they may not be on the disk yet when it is looked at. */
  readonly #granted: Lately;

  /** @param now a clock, in milliseconds. */
  constructor(launcher: () => Launcher, now: () => number) {
    this.#launcher = launcher;
    this.#now = now;
    this.#granted = new Lately(now);
  }

  /** @param bytes that are about to be stored. */
  async fault(bytes = 0): Promise<StorageFault | undefined> {
    const needed = bytes * BYTES_ON_DISK;
    const isOld = this.#now() - this.#askedAtMs >= FRESH_MS;
    if (isOld || (this.#latest.fault === null && !this.#fits(needed))) await this.#look();
    const { fault } = this.#latest;
    if (fault !== null) return fault;
    if (!this.#fits(needed))
      return { isFull: true, detail: "The disk of the data directory has no room for this body." };
    this.#granted.add(needed);
    return undefined;
  }

  async faultNow(): Promise<StorageFault | undefined> {
    await this.#look();
    return this.#latest.fault ?? undefined;
  }

  #fits(needed: number): boolean {
    return needed === 0 || this.#latest.roomBytes - this.#granted.sum() >= needed;
  }

  /** A launcher that does not answer is ending, or was not there yet: that is no fault of the disk. */
  async #look(): Promise<void> {
    this.#askedAtMs = this.#now();
    try {
      const answer = await this.#launcher().fetch(`${ROOT}/storage`);
      this.#latest = (await answer.json()) as StorageState;
    } catch {
      this.#latest = { fault: null, roomBytes: Infinity };
    }
  }
}

/** A sum of what was added in the last one to two seconds. */
class Lately {
  readonly #now: () => number;
  #sinceMs = 0;
  #before = 0;
  #current = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(amount: number): void {
    this.#turn();
    this.#current += amount;
  }

  sum(): number {
    this.#turn();
    return this.#before + this.#current;
  }

  #turn(): void {
    const ageMs = this.#now() - this.#sinceMs;
    if (ageMs < FRESH_MS) return;
    this.#before = ageMs < 2 * FRESH_MS ? this.#current : 0;
    this.#current = 0;
    this.#sinceMs = this.#now();
  }
}

/** Resolves when what R2 and KV hold is on the disk. */
async function syncBlobs(launcher: Launcher): Promise<void> {
  const { status } = await launcher.fetch(`${ROOT}/sync-blobs`, { method: "POST" });
  if (status !== 204) throw new Error(`The launcher could not make the files of R2 and KV durable: ${status}.`);
}

interface Store {
  put(key: string, ...more: never[]): Promise<unknown>;
}

interface Bucket extends Store {
  head(key: string): Promise<unknown>;
  delete(key: string): Promise<unknown>;
}

interface BlobEnv {
  readonly LAUNCHER: Launcher;
  readonly SEGMENTS?: Bucket;
  readonly REGISTRY?: Store;
}

/** The same environment, with an R2 and a KV whose `put` resolves when the value would survive a power cut. */
export function durably<Env extends object>(env: Env & BlobEnv): Env {
  const { SEGMENTS, REGISTRY, LAUNCHER } = env;
  return {
    ...env,
    ...(SEGMENTS && { SEGMENTS: withPut(SEGMENTS, (key, ...more) => putSegment(SEGMENTS, LAUNCHER, key, more)) }),
    ...(REGISTRY && { REGISTRY: withPut(REGISTRY, (key, ...more) => putDurably(REGISTRY, LAUNCHER, key, more)) }),
  };
}

/**
 * A segment that is there already was written by a try that did not live to put it into its stream's index, so nobody reads
 * it. Perhaps a power cut took its bytes: it is written anew.
 */
async function putSegment(bucket: Bucket, launcher: Launcher, key: string, more: never[]): Promise<unknown> {
  if ((await bucket.head(key)) !== null) await bucket.delete(key);
  return putDurably(bucket, launcher, key, more);
}

async function putDurably(store: Store, launcher: Launcher, key: string, more: never[]): Promise<unknown> {
  const result = await store.put(key, ...more);
  await syncBlobs(launcher);
  return result;
}

function withPut<Stored extends Store>(store: Stored, put: Stored["put"]): Stored {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === "put") return put;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
