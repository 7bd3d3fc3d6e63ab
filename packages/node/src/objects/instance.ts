/**
 * One object in memory, with its output gate: an answer, a call to another object, or a frame to a reader leaves only when
 * everything that the object wrote before it is durable. On Cloudflare the runtime does this; here this file does.
 */

import type { Commit } from "../storage/commit.ts";
import type { ObjectStorage } from "../storage/object-storage.ts";

/** What runs in an instance. */
export interface Behaviour {
  /** Everything that others may call. */
  readonly api: object;
  alarm(): Promise<void>;
  /** A live reader has left. */
  readerLeft?(): void;
}

/** Something that leaves when a commit is durable. */
interface Emission {
  readonly commit: Commit;
  readonly work: () => void;
  readonly onLost: () => void;
}

type Methods = Readonly<Record<string, ((...values: readonly unknown[]) => unknown) | undefined>>;

export class Instance<B extends Behaviour = Behaviour> {
  readonly storage: ObjectStorage;
  readonly behaviour: B;
  /** Calls into it and out of it that are under way. */
  #busy = 0;
  readonly #emissions: Emission[] = [];
  #usedAtMs = performance.now();

  /** @param build gets the instance that it is for: what the behaviour calls goes through the gate, too. */
  constructor(storage: ObjectStorage, build: (instance: Instance<B>) => B) {
    this.storage = storage;
    this.behaviour = build(this);
  }

  get isIdle(): boolean {
    return this.#busy === 0 && this.#emissions.length === 0 && this.storage.isDurable;
  }

  /** Of the clock that never jumps. */
  get usedAtMs(): number {
    return this.#usedAtMs;
  }

  /** Calls a method from outside. */
  call(method: string, values: readonly unknown[]): Promise<unknown> {
    return this.enter(() => {
      const called = (this.behaviour.api as Methods)[method];
      if (called === undefined) throw new Error(`The object has no method ${method}.`);
      return called(...values);
    });
  }

  /** Runs something in the instance; the answer leaves when it is durable. */
  async enter<T>(work: () => T | Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      try {
        if (!this.storage.isDurable) await this.storage.sync();
      } finally {
        this.#done();
      }
    }
  }

  /** Something that the instance does to the outside: it begins when all that was written before it is durable. */
  async leave<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      if (!this.storage.isDurable) await this.storage.sync();
      return await work();
    } finally {
      this.#done();
    }
  }

  /**
   * The same, for what nobody waits for. Keeps the order.
   * @param onLost instead, when what was written is lost, or when the work fails; it must not fail.
   */
  emit(work: () => void, onLost: () => void): void {
    if (this.storage.isOver) return onLost();
    if (this.#emissions.length === 0 && this.storage.isDurable) return work();
    // What is durable by now still waits for what was emitted before it.
    this.#emissions.push({ commit: this.storage.written, work, onLost });
    if (this.#emissions.length === 1) void this.#emit();
  }

  async #emit(): Promise<void> {
    for (let index = 0; index < this.#emissions.length; index += 1) {
      const { commit, work, onLost } = this.#emissions[index] as Emission;
      if (!commit.isDurable) await commit.settled();
      if (!commit.isDurable || !succeeds(work)) onLost();
    }
    this.#emissions.length = 0;
  }

  #done(): void {
    this.#busy -= 1;
    this.#usedAtMs = performance.now();
  }
}

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
