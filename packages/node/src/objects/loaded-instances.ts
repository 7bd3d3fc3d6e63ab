/**
 * The instances in memory. Their number is bounded: above a first bound, those that nobody has used for a while are let go of;
 * above a second one, any that is idle. If none is, no more are loaded, and callers are told to come back.
 */

import type { Instance } from "./instance.ts";

/** How many instances may be in memory. About 5 KB of heap each. */
export interface LoadedLimits {
  /** From here on, those that are idle for a minute are let go of. */
  readonly comfortable: number;
  /** There are never more. */
  readonly max: number;
}

const LIMITS: LoadedLimits = { comfortable: 20_000, max: 25_000 };
const IDLE_MS_MIN = 60_000;
/** Instances that are looked at for each new one, the oldest first. */
const LOOKS = 20;
/** When there is no room at all: most are idle then, or the server has more to do than it can. */
const LOOKS_MAX = 1_000;

/** Nothing was done, so that any caller may try again. */
export class TooManyInstancesError extends Error {
  override readonly name = "TooManyInstancesError";
  /** Marks a call that was not made (`packages/core/src/kit/retry-rpc.ts`). */
  readonly unsent = true;

  constructor() {
    super("Too many objects are in use at the same time.");
  }
}

export class LoadedInstances {
  readonly #limits: LoadedLimits;
  /** The oldest first; those that were found in use are the newest. */
  readonly #instances = new Map<string, Instance>();

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#instances.size;
  }

  keys(): Iterable<string> {
    return this.#instances.keys();
  }

  /** The instance of an object, unless it was dropped because its writes are lost. */
  get(key: string): Instance | undefined {
    const instance = this.#instances.get(key);
    return instance?.storage.isOver === true ? undefined : instance;
  }

  /** Whether the instance of an object that was in memory last was dropped because its writes are lost. */
  isLost(key: string): boolean {
    return this.#instances.get(key)?.storage.isLost === true;
  }

  /**
   * Makes room and loads an instance. It must be in use before anything else is loaded.
   * @throws TooManyInstancesError when there is no room. Nothing was loaded then.
   */
  load(key: string, create: () => Instance): Instance {
    this.#instances.delete(key);
    this.#makeRoom();
    const instance = create();
    this.#instances.set(key, instance);
    return instance;
  }

  #makeRoom(): void {
    const { comfortable, max } = this.#limits;
    if (this.#instances.size < comfortable) return;
    const isFull = this.#instances.size >= max;
    const usedBeforeMs = isFull ? Infinity : performance.now() - IDLE_MS_MIN;
    // Those that stay are found again at the end.
    let looks = Math.min(this.#instances.size, isFull ? LOOKS_MAX : LOOKS);
    for (const [key, instance] of this.#instances) {
      if ((looks -= 1) < 0) break;
      this.#instances.delete(key);
      if (instance.storage.isOver) continue;
      if (instance.isIdle && instance.usedAtMs < usedBeforeMs) instance.storage.end();
      else this.#instances.set(key, instance);
      // One is enough: others are let go of when they are in the way.
      if (isFull && this.#instances.size < max) return;
    }
    if (this.#instances.size >= max) throw new TooManyInstancesError();
  }
}
