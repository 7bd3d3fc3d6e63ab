/**
 * Adaptive group commit: whatever arrives while one commit becomes durable joins the next one. A single writer waits only for
 * its own disk write; many writers share one.
 */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

/** Appends of one commit: their notes must stay a small part of a row. */
const BATCH_COUNT_MAX = 512;

export interface GroupCommitPorts<Item, Value> {
  /** The item's identity: one that is waiting already is not queued a second time. */
  readonly keyOf?: (item: Item) => string | undefined;
  /** Bytes that an item weighs, in the queue and in a batch. */
  readonly weigh: (item: Item) => number;
  /** What a batch must wait for, if anything. It must not reject. */
  readonly prepare?: (batch: readonly Item[]) => Promise<void> | undefined;
  /** Writes a batch in one transaction; one result per item, in order. Throws only when nothing was written. */
  readonly commit: (batch: readonly Item[]) => readonly Value[];
  /** Resolves when everything written so far is durable. */
  readonly sync: () => Promise<void>;
}

export interface GroupCommitLimits {
  /** A batch ends before this weight, unless its first item alone is heavier. */
  readonly batchBytesMax: number;
  /** Items that would take the queue above this weight are refused. */
  readonly pendingBytesMax: number;
  /** Items that may wait or be written. Those without bytes, such as a close, weigh nothing and yet take memory. */
  readonly pendingCountMax: number;
}

interface Waiting<Item, Value> {
  readonly item: Item;
  readonly key: string | undefined;
  readonly weight: number;
  readonly resolve: (result: Value) => void;
  readonly reject: (reason: unknown) => void;
}

export class GroupCommit<Item, Value> {
  readonly #ports: GroupCommitPorts<Item, Value>;
  readonly #limits: GroupCommitLimits;
  #queue: Waiting<Item, Value>[] = [];
  readonly #waiting = new Map<string, Promise<Value | Refusal>>();
  #pendingBytes = 0;
  #pendingCount = 0;
  #running = false;

  constructor(ports: GroupCommitPorts<Item, Value>, limits: GroupCommitLimits) {
    this.#ports = ports;
    this.#limits = limits;
  }

  /** Resolves with the item's result once it is durable; refuses at once when too much is waiting. */
  submit(item: Item): Promise<Value | Refusal> {
    const result = this.#enqueue(item);
    if (!this.#running) void this.#run();
    return result;
  }

  /** The same for several, which share a commit as far as its limits allow. */
  submitAll(items: readonly Item[]): Promise<Value | Refusal>[] {
    const results = items.map((item) => this.#enqueue(item));
    if (!this.#running) void this.#run();
    return results;
  }

  /** The result of an item that waits, or is being written; `undefined`: there is none with this key. */
  waiting(key: string): Promise<Value | Refusal> | undefined {
    return this.#waiting.get(key);
  }

  #enqueue(item: Item): Promise<Value | Refusal> {
    const key = this.#ports.keyOf?.(item);
    const waiting = key === undefined ? undefined : this.#waiting.get(key);
    if (waiting !== undefined) return waiting;
    const weight = this.#ports.weigh(item);
    if (!this.#hasCapacity(weight)) return Promise.resolve(refuseOverloaded());
    this.#pendingBytes += weight;
    this.#pendingCount += 1;
    const result = new Promise<Value>((resolve, reject) => this.#queue.push({ item, key, weight, resolve, reject }));
    if (key !== undefined) this.#waiting.set(key, result);
    return result;
  }

  /** An item that alone is too heavy is taken when nothing else weighs anything. */
  #hasCapacity(weight: number): boolean {
    if (this.#pendingCount >= this.#limits.pendingCountMax) return false;
    return this.#pendingBytes === 0 || this.#pendingBytes + weight <= this.#limits.pendingBytesMax;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      await this.#commitOne(batch);
      for (const { key, weight } of batch) {
        this.#pendingBytes -= weight;
        if (key !== undefined) this.#waiting.delete(key);
      }
      this.#pendingCount -= batch.length;
    }
    this.#running = false;
  }

  async #commitOne(batch: readonly Waiting<Item, Value>[]): Promise<void> {
    try {
      const items = batch.map(({ item }) => item);
      const prepared = this.#ports.prepare?.(items);
      if (prepared !== undefined) await prepared;
      const results = this.#ports.commit(items);
      await this.#ports.sync();
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index];
        if (result === undefined) reject(new Error("A commit returned fewer results than it had items."));
        else resolve(result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  #takeBatch(): Waiting<Item, Value>[] {
    let bytes = 0;
    let count = 0;
    for (const { weight } of this.#queue) {
      if (count > 0 && (bytes + weight > this.#limits.batchBytesMax || count === BATCH_COUNT_MAX)) break;
      bytes += weight;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }
}

function refuseOverloaded(): Refusal {
  return refuse("overloaded", "The append queue is full.", {
    hint: "Append in larger batches, or spread the appends over several streams.",
    headers: { "Retry-After": "1" },
  });
}
