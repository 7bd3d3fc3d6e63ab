/** The Worker's requests to its launcher; `../launcher-service.ts` answers them. */

import type { StorageFault, StorageState } from "../storage-state.ts";

/** The binding `LAUNCHER`. */
export interface Launcher {
  fetch(url: string, init?: { method: string }): Promise<Pick<Response, "status" | "json">>;
}

const ROOT = "http://launcher";
/** How long an answer about the disk is valid. */
const FRESH_MS = 1_000;

/** A stored byte takes at most this many bytes of disk until the journal of its database is emptied. */
const BYTES_ON_DISK = 2;

/** Whether the disk can store more. The launcher is asked once per second, and again before its free space is used up. */
export class DiskStatus {
  readonly #launcher: () => Launcher;
  readonly #now: () => number;
  #latest: StorageState = { fault: null, roomBytes: Infinity };
  #askedAtMs = -Infinity;
  /** Bytes that were admitted recently: they may not be on the disk yet when it is examined. */
  readonly #granted: Lately;

  /** @param now a clock, in milliseconds. */
  constructor(launcher: () => Launcher, now: () => number) {
    this.#launcher = launcher;
    this.#now = now;
    this.#granted = new Lately(now);
  }

  /**
   * Why nothing can be stored; `undefined` if storing works.
   * @param bytes the number of bytes about to be stored.
   */
  async fault(bytes = 0): Promise<StorageFault | undefined> {
    const needed = bytes * BYTES_ON_DISK;
    const isOld = this.#now() - this.#askedAtMs >= FRESH_MS;
    if (isOld || (this.#latest.fault === null && !this.#fits(needed))) await this.#look();
    const { fault } = this.#latest;
    if (fault !== null) return fault;
    if (!this.#fits(needed))
      return { isFull: true, detail: "The disk of the data directory has not enough space for this body." };
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

  /** A launcher that does not answer is stopping or starting: that is not a fault of the disk. */
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

/** The sum of what was added in the last one to two seconds. */
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

/**
 * Has the launcher remove the files of a stream's object, if they are damaged.
 * @param id workerd's id of the object.
 * @returns whether they were damaged and have been removed.
 */
export async function removeDamagedStream(launcher: Launcher, id: string): Promise<boolean> {
  const { status } = await launcher.fetch(`${ROOT}/remove-damaged-stream?id=${id}`, { method: "POST" });
  return status === 204;
}

/** Resolves when the values of R2 and KV are on the disk. */
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

/** Wraps R2 and KV in an environment, so that `put` resolves only when the value would survive a power cut. */
export function durably<Env extends object>(env: Env & BlobEnv): Env {
  const { SEGMENTS, REGISTRY, LAUNCHER } = env;
  return {
    ...env,
    ...(SEGMENTS && { SEGMENTS: withPut(SEGMENTS, (key, ...more) => putSegment(SEGMENTS, LAUNCHER, key, more)) }),
    ...(REGISTRY && { REGISTRY: withPut(REGISTRY, (key, ...more) => putDurably(REGISTRY, LAUNCHER, key, more)) }),
  };
}

/**
 * A segment that already exists was written by an attempt that ended before the segment was in its stream's index, so nobody
 * reads it. A power cut may have damaged it, so it is written again.
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
