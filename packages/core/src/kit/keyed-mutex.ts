/** Runs tasks with the same key one after the other, and tasks with different keys concurrently. */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

/** Far more than callers that wait for their answers ever have; what a waiting task holds, its request's body, is small. */
const WAITERS_MAX = 256;

export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #waitersMax: number;
  #waiting = 0;

  /** @param waitersMax the most tasks that may wait, of all keys together. */
  constructor(waitersMax = WAITERS_MAX) {
    this.#waitersMax = waitersMax;
  }

  /** The number of keys that have a task, running or waiting. */
  get size(): number {
    return this.#last.size;
  }

  /** Runs a task. If it would have to wait, and too many wait already, the task is refused and never runs. */
  async run<Value>(key: string, work: () => Promise<Result<Value>>): Promise<Result<Value>> {
    if (this.#last.has(key) && this.#waiting >= this.#waitersMax) return refuseFullQueue();
    return this.runAlways(key, work);
  }

  /** Like `run`, but never refuses. For callers that limit by themselves how many of their tasks wait. */
  async runAlways<Value>(key: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#last.get(key);
    const mine = before === undefined ? Promise.resolve().then(work) : this.#after(before, work);
    const settled = mine.catch(() => undefined);
    this.#last.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }

  #after<Value>(before: Promise<unknown>, work: () => Promise<Value>): Promise<Value> {
    this.#waiting += 1;
    return before.then(() => {
      this.#waiting -= 1;
      return work();
    });
  }
}

function refuseFullQueue(): Refusal {
  return refuse("overloaded", "Too many changes are waiting for earlier ones. Nothing was changed.", {
    hint: "Send fewer requests at the same time, or wait and try again.",
    headers: { "Retry-After": "1" },
  });
}
