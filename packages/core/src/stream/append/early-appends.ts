/**
 * Holds a producer's append that arrived before an earlier one. Clients send several appends at a time, on separate
 * connections, and send all of them again when one is refused as too early, which can double the traffic and its cost. Held
 * here, such an append is one call, however late the one before it is.
 */

import { HEADER, type ProducerClaim, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";

/** Longer than connections differ, shorter than people wait for an answer. */
const HELD_MS_MAX = 500;
/** What one object holds; an append beyond that is refused at once. */
const HELD_MAX = 256;
const HELD_BYTES_MAX = 8 * 1024 * 1024;
/** More than clients have under way; what is further ahead has lost something, and shall hear of it at once. */
const AHEAD_MAX = 64;

/** Whether the refusal may be gone as soon as the appends before this one have come. */
export function isEarly({ problem }: Refusal, { seq }: ProducerClaim): boolean {
  if (problem.code === "producer-epoch-start") return seq <= AHEAD_MAX;
  if (problem.code !== "producer-gap") return false;
  const expected = Number(problem.headers?.[HEADER.producerExpectedSeq]);
  return seq > expected && seq - expected <= AHEAD_MAX;
}

interface Held {
  readonly claim: ProducerClaim;
  readonly bytes: number;
  /** Resolves when the append is due, or has waited for long enough. */
  readonly due: Promise<void>;
  readonly release: () => void;
  /** The one before it was committed, which may be before its refusal has reached whoever waits for it. */
  isDue: boolean;
}

/** The appends that one object holds. */
export class EarlyAppends {
  readonly #held = new Map<AppendCommand, Held>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Appends; one that is refused as too early is tried again when the one before it was committed.
   * @param submit called at most once for each append that is committed meanwhile before this one.
   */
  async append(command: AppendCommand, submit: () => Promise<Result<AppendResult>>): Promise<Result<AppendResult>> {
    const untilMs = this.#now() + HELD_MS_MAX;
    for (;;) {
      const answer = await submit();
      const held = this.#held.get(command);
      if (held === undefined) return answer;
      const timer = setTimeout(held.release, Math.min(HELD_MS_MAX, Math.max(0, untilMs - this.#now())));
      await held.due;
      clearTimeout(timer);
      this.#held.delete(command);
      this.#bytes -= held.bytes;
      if (!held.isDue) return answer;
    }
  }

  /**
   * A batch was committed or refused. In the same turn, so that nothing is committed between a refusal and the wait.
   * @param results one for each append of the batch.
   */
  settled(batch: readonly AppendCommand[], results: readonly Result<AppendResult>[]): void {
    for (const [index, command] of batch.entries()) {
      const { producer } = command;
      const result = results[index];
      if (producer === undefined || result === undefined) continue;
      if (result.ok) this.#releaseAfter(producer);
      else if (command.mayWait && isEarly(result, producer)) this.#hold(command, producer);
    }
  }

  #hold(command: AppendCommand, claim: ProducerClaim): void {
    const bytes = command.bytes.length;
    if (this.#held.size >= HELD_MAX || this.#bytes + bytes > HELD_BYTES_MAX) return;
    const { promise: due, resolve: release } = Promise.withResolvers<void>();
    this.#held.set(command, { claim, bytes, due, release, isDue: false });
    this.#bytes += bytes;
  }

  /** Releases those that follow a producer's append without a gap, in their order: they share the next commit. */
  #releaseAfter({ id, epoch, seq }: ProducerClaim): void {
    if (this.#held.size === 0) return;
    const own = [...this.#held.values()]
      .filter(({ claim }) => claim.id === id && claim.epoch === epoch && claim.seq > seq)
      .toSorted((a, b) => a.claim.seq - b.claim.seq);
    let next = seq + 1;
    for (const held of own) {
      if (held.claim.seq > next) return;
      next = held.claim.seq + 1;
      held.isDue = true;
      held.release();
    }
  }
}
