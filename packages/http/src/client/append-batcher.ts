/**
 * Batches appends to one stream: while one call to the stream's object is in flight, later appends wait, and the next call
 * carries all of them. A single append waits for nothing. Where one isolate serves all clients, this saves most calls to the
 * object, which are the largest part of an append's time.
 *
 * The request that finds no call in flight becomes the leader: it makes the calls, even after its own answer was sent, until no
 * append waits or it has led for long enough. A call may end together with the request that makes it, so every waiting append
 * has a timer. It counts from the beginning of the call that the append waits for, because a slow object is no dead leader: to
 * call beside it would double the load just when the object is slow. When that call has taken too long, the first request to
 * notice leads those that still wait. An append in a call that is in flight is not sent a second time.
 */

import { asRepeat, REPEATED_MS_MAX } from "@durable-streams-cloudflare/core/contracts/request-id";
import type { AppendCommand, AppendResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { refuseUnanswered } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { Result } from "@durable-streams-cloudflare/protocol";

import { appendWhenDue } from "./early-append.ts";
import type { StreamClient } from "./stream-client.ts";

/** How long the call may take that an append waits for, before the leader counts as gone. */
const PATIENCE_MS = 10_000;
/** How long an append waits for the answer to its own call. */
const ANSWER_MS_MAX = 25_000;
/** Calls for one batch that breaks: as many as its appends would have made alone, and enough to find one of four. */
const SPLIT_CALLS_MIN = 5;
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

/** The call that carried the append alone broke. */
interface Broken {
  readonly error: unknown;
}

type Outcome = Answer | Broken;

interface Waiting {
  readonly command: AppendCommand;
  readonly take: (outcome: Outcome) => void;
  queue: AppendQueue;
  /** When its call began, in ms; `undefined`: it waits for that. */
  sentAtMs: number | undefined;
}

/** Keeps the runtime working on a promise after the request's client has disconnected (`waitUntil`). */
export type KeepAlive = (promise: Promise<unknown>) => void;

/** The appends of one stream that wait for the call under way. */
interface AppendQueue {
  readonly waiting: Waiting[];
  callsLeft: number;
  /** When the call under way began, in ms. */
  calledAtMs: number;
}

/** The batches of one isolate, by stream. */
export class AppendBatcher {
  readonly #queues = new Map<string, AppendQueue>();
  readonly #isSharing: boolean;
  readonly #onImpatience: () => void;

  /**
   * @param isSharing the setting `SHARED_APPENDS`; if `false`, each append makes its own call.
   * @param onImpatience called whenever a leader counts as gone.
   */
  constructor(isSharing: boolean, onImpatience: () => void = () => {}) {
    this.#isSharing = isSharing;
    this.#onImpatience = onImpatience;
  }

  /** Resolves when the append is durable or refused. */
  async append(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Answer> {
    if (!this.#isSharing || command.bytes.length > BATCH_BYTES_MAX) return appendAlone(stream, command);
    return appendWhenDue(command, async () => {
      const outcome = await this.#share(stream, command, keepAlive);
      if ("error" in outcome) throw outcome.error;
      return outcome;
    });
  }

  #share(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Outcome> {
    const known = this.#queues.get(stream.objectName);
    if (known !== undefined && known.callsLeft > 0 && known.waiting.length < WAITING_MAX) {
      return this.#follow(stream, known, command, keepAlive);
    }
    // A queue that is full, or whose leader has done its part, is emptied by that leader; nothing joins it any more.
    const queue = newQueue();
    const { promise, resolve: take } = Promise.withResolvers<Outcome>();
    queue.waiting.push({ command, take, queue, sentAtMs: undefined });
    this.#begin(stream, queue, keepAlive);
    return promise;
  }

  /** Waits in the queue; the timers are this request's own, so they fire whatever becomes of the leader. */
  async #follow(
    stream: StreamClient,
    queue: AppendQueue,
    command: AppendCommand,
    keepAlive: KeepAlive,
  ): Promise<Outcome> {
    // Not `new Promise`: once that is compiled inline, the promise loses track of the request that it belongs to. What
    // follows it then runs on behalf of another request, and ends with that one (docs/adr/0008).
    const { promise, resolve: take } = Promise.withResolvers<Outcome>();
    const waiting: Waiting = { command, take, queue, sentAtMs: undefined };
    const look = (): void => {
      const leftMs = patienceLeft(waiting, Date.now());
      if (leftMs <= 0 && waiting.sentAtMs !== undefined) {
        this.#close(stream.objectName, waiting.queue);
        return take(refuseUnanswered());
      }
      if (leftMs <= 0) this.#takeOver(stream, waiting.queue, keepAlive);
      timer = setTimeout(look, leftMs <= 0 ? ANSWER_MS_MAX : leftMs);
    };
    let timer = setTimeout(look, PATIENCE_MS);
    queue.waiting.push(waiting);
    const outcome = await promise;
    clearTimeout(timer);
    return outcome;
  }

  /** Leads what waits for a leader that counts as gone. If it is only slow, it finds its queue empty and ends. */
  #takeOver(stream: StreamClient, left: AppendQueue, keepAlive: KeepAlive): void {
    this.#onImpatience();
    const queue = newQueue();
    for (const waiting of left.waiting.splice(0)) {
      waiting.queue = queue;
      queue.waiting.push(waiting);
    }
    left.callsLeft = 0;
    this.#begin(stream, queue, keepAlive);
  }

  #begin(stream: StreamClient, queue: AppendQueue, keepAlive: KeepAlive): void {
    this.#queues.set(stream.objectName, queue);
    keepAlive(this.#lead(stream, queue));
  }

  /** Makes the calls of a queue until it is empty. */
  async #lead(stream: StreamClient, queue: AppendQueue): Promise<void> {
    const beganAtMs = Date.now();
    for (let batch = takeBatch(queue); batch.length > 0; batch = takeBatch(queue)) {
      queue.callsLeft -= 1;
      if (Date.now() - beganAtMs > LEAD_MS_MAX) queue.callsLeft = 0;
      await sendBatch(stream, queue, batch);
    }
    this.#close(stream.objectName, queue);
  }

  /** The next append opens a new queue: this one is empty, or its leader is gone. */
  #close(objectName: string, queue: AppendQueue): void {
    if (this.#queues.get(objectName) === queue) this.#queues.delete(objectName);
  }
}

function newQueue(): AppendQueue {
  return { waiting: [], callsLeft: CALLS_MAX, calledAtMs: Date.now() };
}

/** How long an append goes on waiting, in ms: for its turn, or for the answer. A clock that is put back changes little. */
function patienceLeft({ sentAtMs, queue }: Waiting, nowMs: number): number {
  return sentAtMs === undefined
    ? Math.min(PATIENCE_MS, queue.calledAtMs + PATIENCE_MS - nowMs)
    : Math.min(ANSWER_MS_MAX, sentAtMs + ANSWER_MS_MAX - nowMs);
}

/** The object knows a producer's append by its sequence, however late it comes. */
const repeatedMsMaxOf = (batch: readonly AppendCommand[]): number =>
  batch.every(({ producer }) => producer !== undefined) ? Infinity : REPEATED_MS_MAX;

/** Too early for its producer, the append waits in the object, which is one call. */
function appendAlone(stream: StreamClient, sent: AppendCommand): Promise<Answer> {
  const command: AppendCommand = sent.producer === undefined ? sent : { ...sent, mayWait: true };
  return stream.call((stub, repeatedAfterMs) => stub.append(asRepeat(command, repeatedAfterMs)), {
    repeatedMsMax: repeatedMsMaxOf([command]),
  });
}

/**
 * Sends a batch. If its call breaks, its halves are sent one after the other, so that one append that breaks every call does
 * not take the others with it, and a broken object is not called by all of them at once.
 */
async function sendBatch(stream: StreamClient, queue: AppendQueue, batch: readonly Waiting[]): Promise<void> {
  const sentAtMs = Date.now();
  for (const waiting of batch) waiting.sentAtMs = sentAtMs;
  let callsLeft = Math.max(batch.length, SPLIT_CALLS_MIN);
  const parts = [batch];
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const isFirst = part === batch;
    queue.calledAtMs = Date.now();
    const outcomes = callsLeft > 0 ? await callForAll(stream, part, isFirst ? undefined : sentAtMs) : undefined;
    callsLeft -= 1;
    if (outcomes === undefined) for (const { take } of part) take(refuseUnanswered());
    else if (!("error" in outcomes))
      for (const [index, { take }] of part.entries()) take(outcomes[index] ?? refuseUnanswered());
    else if (part.length === 1) part[0]?.take(outcomes);
    else {
      const middle = Math.ceil(part.length / 2);
      parts.unshift(part.slice(0, middle), part.slice(middle));
    }
  }
}

/** @param sentAtMs when the appends were sent before, in a call that broke. */
async function callForAll(
  stream: StreamClient,
  batch: readonly Waiting[],
  sentAtMs: number | undefined,
): Promise<readonly Answer[] | Broken> {
  let isRepeated = false;
  try {
    const called = await stream.call(
      async (stub, repeatedAfterMs) => {
        isRepeated ||= repeatedAfterMs !== undefined;
        const commands = batch.map(({ command }) => asRepeat(command, repeatedAfterMs));
        return { ok: true, answers: await stub.appendAll(commands) };
      },
      { sentAtMs, repeatedMsMax: repeatedMsMaxOf(batch.map(({ command }) => command)) },
    );
    if (!called.ok) return batch.map(() => called);
    // An object that has no room for a copy does not say what became of the append that was sent before.
    return called.answers.map((answer) => (isRepeated && isOverloaded(answer) ? refuseUnanswered() : answer));
  } catch (error) {
    return { error };
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
