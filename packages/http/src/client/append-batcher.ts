/**
 * Batches appends to one stream: while one call to the stream's object is in flight, later appends wait, and the next call
 * carries all of them. A single append waits for nothing. Under load this saves most calls to the object, which are the largest
 * part of an append's time and cost.
 *
 * The request that finds no call in flight becomes the leader: it makes the calls, even after its own answer was sent, until no
 * append waits or it has led for long enough. A call may end together with the request that makes it, so every waiting append
 * has a timer: if it has not been sent when the timer fires, its own request sends it alone. An append in a call that is in
 * flight is not sent a second time: a copy would only lengthen the queue of the object.
 */

import { asRepeat, REPEATED_MS_MAX } from "@durable-streams-cloudflare/core/contracts/request-id";
import type { AppendCommand, AppendResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { refuseUnanswered } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { Result } from "@durable-streams-cloudflare/protocol";

import type { StreamClient } from "./stream-client.ts";

/** How long an append waits for its call to begin, and how long for that call's answer. */
const PATIENCE_MS = 1_000;
const ANSWER_MS_MAX = 25_000;
/** What one call carries, well below the 32 MiB of a message between a Worker and an object. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_MAX = 128;
/**
 * Calls that one request makes before another one leads, and how long it goes on beginning some: requests must end some
 * time, and Cloudflare ends them 30 seconds after their answer.
 */
const CALLS_MAX = 32;
const LEAD_MS_MAX = 5_000;

type Answer = Result<AppendResult>;

/** The append was not answered, and whether it was sent: when, in ms. */
interface Unanswered {
  readonly sentAtMs: number | undefined;
}

interface Waiting {
  readonly command: AppendCommand;
  readonly take: (outcome: Answer | Unanswered) => void;
}

/** Keeps the runtime working on a promise after the request's client has disconnected (`waitUntil`). */
export type KeepAlive = (promise: Promise<unknown>) => void;

/** The appends of one stream that wait for the call under way. */
interface AppendQueue {
  readonly waiting: Waiting[];
  callsLeft: number;
}

/** The batches of one isolate, by stream. */
export class AppendBatcher {
  readonly #queues = new Map<string, AppendQueue>();
  readonly #isSharing: boolean;

  /** @param isSharing the setting `SHARED_APPENDS`; if `false`, each append makes its own call. */
  constructor(isSharing: boolean) {
    this.#isSharing = isSharing;
  }

  /** Resolves when the append is durable or refused. */
  async append(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Answer> {
    if (!this.#isSharing || command.bytes.length > BATCH_BYTES_MAX) return appendAlone(stream, command, undefined);
    const outcome = await this.#share(stream, command, keepAlive);
    return "ok" in outcome ? outcome : appendAlone(stream, command, outcome.sentAtMs);
  }

  #share(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Answer | Unanswered> {
    const known = this.#queues.get(stream.objectName);
    if (known !== undefined && known.callsLeft > 0 && known.waiting.length < WAITING_MAX) {
      return this.#follow(stream.objectName, known, command);
    }
    // A queue that is full, or whose leader has done its part, is emptied by that leader; nothing joins it any more.
    const queue: AppendQueue = { waiting: [], callsLeft: CALLS_MAX };
    this.#queues.set(stream.objectName, queue);
    const { promise, resolve: take } = Promise.withResolvers<Answer | Unanswered>();
    queue.waiting.push({ command, take });
    keepAlive(this.#lead(stream, queue));
    return promise;
  }

  /** Waits in the queue; the timers are this request's own, so they fire whatever becomes of the leader. */
  async #follow(objectName: string, queue: AppendQueue, command: AppendCommand): Promise<Answer | Unanswered> {
    // Not `new Promise`: once that is compiled inline, the promise loses track of the request that it belongs to. What
    // follows it then runs on behalf of another request, and ends with that one (docs/adr/0008).
    const { promise, resolve: take } = Promise.withResolvers<Answer | Unanswered>();
    const waiting = { command, take };
    let timer = setTimeout(() => {
      const index = queue.waiting.indexOf(waiting);
      if (index < 0) {
        timer = setTimeout(() => {
          this.#close(objectName, queue);
          take(refuseUnanswered());
        }, ANSWER_MS_MAX);
        return;
      }
      queue.waiting.splice(index, 1);
      this.#close(objectName, queue);
      take({ sentAtMs: undefined });
    }, PATIENCE_MS);
    queue.waiting.push(waiting);
    const outcome = await promise;
    clearTimeout(timer);
    return outcome;
  }

  /** Makes the calls of a queue until it is empty. */
  async #lead(stream: StreamClient, queue: AppendQueue): Promise<void> {
    const beganAtMs = Date.now();
    for (let batch = takeBatch(queue); batch.length > 0; batch = takeBatch(queue)) {
      queue.callsLeft -= 1;
      if (Date.now() - beganAtMs > LEAD_MS_MAX) queue.callsLeft = 0;
      const outcomes = await callForAll(stream, batch);
      for (const [index, { take }] of batch.entries()) take(outcomes[index] ?? refuseUnanswered());
    }
    this.#close(stream.objectName, queue);
  }

  /** The next append opens a new queue: this one is empty, or its leader is gone. */
  #close(objectName: string, queue: AppendQueue): void {
    if (this.#queues.get(objectName) === queue) this.#queues.delete(objectName);
  }
}

/** @param sentAtMs when the append was sent in a call that broke. */
function appendAlone(stream: StreamClient, command: AppendCommand, sentAtMs: number | undefined): Promise<Answer> {
  // The object knows a producer's append by its sequence, however late it comes.
  const repeatedMsMax = command.producer === undefined ? REPEATED_MS_MAX : Infinity;
  return stream.call((stub, repeatedAfterMs) => stub.append(asRepeat(command, repeatedAfterMs)), {
    sentAtMs,
    repeatedMsMax,
  });
}

/** @returns no answers when the call broke: each of them then calls alone, and reports what goes wrong for it. */
async function callForAll(stream: StreamClient, batch: readonly Waiting[]): Promise<readonly (Answer | Unanswered)[]> {
  const sentAtMs = Date.now();
  let isRepeated = false;
  try {
    const called = await stream.call(
      async (stub, repeatedAfterMs) => {
        isRepeated ||= repeatedAfterMs !== undefined;
        const commands = batch.map(({ command }) => asRepeat(command, repeatedAfterMs));
        return { ok: true, answers: await stub.appendAll(commands) };
      },
      { repeatedMsMax: REPEATED_MS_MAX },
    );
    if (!called.ok) return batch.map(() => called);
    // The object had too much waiting and did nothing with this copy: calling alone tries again for a while.
    const unanswered = { sentAtMs: isRepeated ? sentAtMs : undefined };
    return called.answers.map((answer) => (isOverloaded(answer) ? unanswered : answer));
  } catch {
    return batch.map(() => ({ sentAtMs }));
  }
}

/** Takes out of the queue what fits into one call. */
function takeBatch({ waiting }: AppendQueue): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { command } of waiting) {
    bytes += command.bytes.length;
    if (bytes > BATCH_BYTES_MAX) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

function isOverloaded(answer: Answer): boolean {
  return !answer.ok && answer.problem.code === "overloaded";
}
