/**
 * The request ids that an object remembers, so that a request which arrives twice is carried out once. An id is kept for as
 * long as a copy of the request may still arrive (`contracts/request-id.ts`). Requests above the memory limit are refused: no
 * id is forgotten early.
 *
 * The ids outlive the stream: a copy that arrives after the stream was deleted and created again is still the same request.
 */

import type { Lineage } from "@durable-streams-cloudflare/protocol";

import { REMEMBERED_MS } from "../../contracts/request-id.ts";

/** The result of a request: in which incarnation its bytes are, and where they end. */
export interface Landing {
  readonly lineage: Lineage;
  readonly end: number;
}

interface Remembered extends Landing {
  readonly atMs: number;
}

/** What goes together. A `Map` that forgets one by one keeps the slots of what was deleted, and walks over them. */
interface Generation {
  readonly entries: Map<string, Remembered>;
  readonly beganAtMs: number;
  lastAtMs: number;
}

export interface RequestIdLimits {
  readonly rememberedMs: number;
  /** So many are there in any case: a clock that jumps ahead must not have all of them forgotten. */
  readonly countMin: number;
  /** At about 100 bytes each. */
  readonly countMax: number;
}

/** 13,000 appends a second to one stream, for twenty seconds. */
const LIMITS: RequestIdLimits = { rememberedMs: REMEMBERED_MS, countMin: 2_048, countMax: 262_144 };
const GENERATIONS = 4;

export class RequestIds {
  readonly #limits: RequestIdLimits;
  /** Oldest first. */
  #generations: Generation[] = [];
  #count = 0;
  /** Milliseconds that have passed: a clock that is put back makes nothing younger, and nothing is kept longer for it. */
  #elapsedMs = 0;
  #seenMs: number | undefined;

  constructor(limits: Partial<RequestIdLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  find(id: string): Landing | undefined {
    for (let index = this.#generations.length - 1; index >= 0; index -= 1) {
      const found = this.#generations[index]?.entries.get(id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  remember(id: string, { lineage, end }: Landing, nowMs: number): void {
    const atMs = this.#tick(nowMs);
    const generation = this.#current(atMs);
    generation.entries.set(id, { lineage, end, atMs });
    generation.lastAtMs = atMs;
    this.#count += 1;
  }

  /** Whether another one would take too much memory. */
  isFull(nowMs: number): boolean {
    this.#forget(this.#tick(nowMs));
    return this.#count >= this.#limits.countMax;
  }

  /** All whose copies may still arrive, oldest first. */
  recent(nowMs: number): [id: string, landing: Landing][] {
    const sinceMs = this.#tick(nowMs) - this.#limits.rememberedMs;
    const all = this.#generations.filter(({ lastAtMs }) => lastAtMs > sinceMs).flatMap(({ entries }) => [...entries]);
    return all.filter(([, { atMs }]) => atMs > sinceMs);
  }

  #tick(nowMs: number): number {
    this.#elapsedMs += Math.max(0, nowMs - (this.#seenMs ?? nowMs));
    this.#seenMs = nowMs;
    return this.#elapsedMs;
  }

  #current(atMs: number): Generation {
    const { rememberedMs, countMin } = this.#limits;
    const newest = this.#generations.at(-1);
    const isOld = newest !== undefined && atMs - newest.beganAtMs >= rememberedMs / GENERATIONS;
    if (newest !== undefined && !(isOld && newest.entries.size >= countMin / GENERATIONS)) return newest;
    const next = { entries: new Map<string, Remembered>(), beganAtMs: atMs, lastAtMs: atMs };
    this.#generations.push(next);
    this.#forget(atMs);
    return next;
  }

  #forget(atMs: number): void {
    for (;;) {
      const oldest = this.#generations[0];
      if (oldest === undefined || atMs - oldest.lastAtMs < this.#limits.rememberedMs) return;
      if (this.#count - oldest.entries.size < this.#limits.countMin) return;
      this.#count -= oldest.entries.size;
      this.#generations.shift();
    }
  }
}
