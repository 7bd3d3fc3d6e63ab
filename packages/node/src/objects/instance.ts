/**
 * One object in memory, with its output gate: an answer, a call to another object, or a frame to a reader leaves only when
 * everything that the object wrote before it is durable. On Cloudflare the runtime does this; here this file does.
 */

import { callMethod } from "@durable-streams-cloudflare/http/objects/stub";

import type { Commit } from "../storage/commit.ts";
import type { ObjectStorage } from "../storage/object-storage.ts";
import type { WithSockets } from "./sockets/object-socket.ts";

/** A core object as an instance runs it. */
export interface Behaviour {
  /** The methods that other objects and the edge may call, by name. */
  readonly api: object;
  alarm(): Promise<void>;
  /** Called after a live reader has disconnected. */
  readerLeft?(): void;
  /** Present if the object has sockets. */
  readonly sockets?: WithSockets | undefined;
}

/** Something that leaves when a commit is durable. */
interface Emission {
  readonly commit: Commit;
  readonly work: () => void;
  readonly onLost: () => void;
}

/** An object in memory, with its storage and its output gate. */
export class Instance<B extends Behaviour = Behaviour> {
  readonly storage: ObjectStorage;
  readonly behaviour: B;
  /** Calls into it and out of it that are under way. */
  #busy = 0;
  readonly #emissions: Emission[] = [];
  #usedAtMs = performance.now();

  /**
   * @param build creates the behaviour. It gets the instance, so that the behaviour's own calls to the outside pass the gate,
   *   too.
   */
  constructor(storage: ObjectStorage, build: (instance: Instance<B>) => B) {
    this.storage = storage;
    this.behaviour = build(this);
  }

  get isIdle(): boolean {
    return this.#busy === 0 && this.#emissions.length === 0 && this.storage.isDurable;
  }

  /** When the instance was last used, in ms of the monotonic clock (`performance.now()`). */
  get usedAtMs(): number {
    return this.#usedAtMs;
  }

  /**
   * Calls a method of `behaviour.api` from outside.
   * @throws Error if there is no such method.
   */
  call(method: string, values: readonly unknown[]): Promise<unknown> {
    return this.enter(() => callMethod(this.behaviour.api, method, values));
  }

  /**
   * Runs `work` in the instance. Its result, or its error, leaves the instance only when everything written so far is durable.
   * @throws WriteLostError if something that the instance has written was lost.
   */
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

  /**
   * Runs `work` that affects the outside, such as a call to another object. It starts when everything written before it is
   * durable.
   * @throws WriteLostError if something that the instance has written was lost.
   */
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
   * Like `leave`, for work whose result nobody awaits. Work is run in the order of the calls.
   * @param onLost runs instead if what was written is lost, and also when work that had to wait throws. It must not throw.
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
