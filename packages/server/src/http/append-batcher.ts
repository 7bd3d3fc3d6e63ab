/**
 * Appends to one stream that arrive together travel together: while one call to the stream's object is under way, later
 * ones wait, and the next call then takes all of them along. Alone, an append waits for nobody. Under load this saves
 * most of the calls to the object, which are what an append costs most time, and money.
 *
 * The request that finds no call under way leads: it makes the calls, also after its own answer has gone out, until
 * nobody waits any more or it has led long enough. A call may end with the request that makes it, so nobody waits for
 * another for long: whoever runs out of patience calls alone. The object recognises what it has stored already, by the
 * producer or by the attempt, so an append that travels twice is stored once.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { AppendCommand, AppendFacts } from "../stream/commands.ts";
import type { StreamClient } from "./stream-client.ts";

const PATIENCE_MS = 1_000;
/** What one call carries, well below the 32 MiB of a message between a Worker and an object. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
const WAITING_MAX = 128;
/** Calls that one request makes before another one leads: requests must end some time. */
const CALLS_MAX = 32;

type Answer = Result<AppendFacts>;

interface Waiting {
  readonly command: AppendCommand;
  /** `undefined`: the call broke, or nobody makes it any more. */
  readonly take: (answer: Answer | undefined) => void;
}

/** Asks the runtime to see a promise through also when the request's client goes away. */
export type KeepAlive = (promise: Promise<unknown>) => void;

/** The appends of one stream that wait for the call under way. */
interface Lane {
  readonly waiting: Waiting[];
  callsLeft: number;
}

export class AppendBatcher {
  readonly #lanes = new Map<string, Lane>();
  readonly #isSharing: boolean;

  /** @param isSharing `SHARED_APPENDS`; otherwise every append calls alone. */
  constructor(isSharing: boolean) {
    this.#isSharing = isSharing;
  }

  /** Resolves when the append is durable or refused. */
  async append(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Answer> {
    if (!this.#isSharing || command.bytes.length > BATCH_BYTES_MAX) return appendAlone(stream, command);
    const answer = await this.#share(stream, command, keepAlive);
    return answer === undefined || isOverloaded(answer) ? appendAlone(stream, command) : answer;
  }

  #share(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Answer | undefined> {
    const known = this.#lanes.get(stream.objectName);
    if (known !== undefined && known.callsLeft > 0 && known.waiting.length < WAITING_MAX) {
      return this.#follow(stream.objectName, known, command);
    }
    // A lane that is full, or whose leader has done its part, is emptied by that leader; none joins it any more.
    const lane: Lane = { waiting: [], callsLeft: CALLS_MAX };
    this.#lanes.set(stream.objectName, lane);
    const { promise, resolve: take } = Promise.withResolvers<Answer | undefined>();
    lane.waiting.push({ command, take });
    keepAlive(this.#lead(stream, lane));
    return promise;
  }

  /** Waits in the lane; the timer is this request's own, so it rings whatever becomes of the leader. */
  async #follow(objectName: string, lane: Lane, command: AppendCommand): Promise<Answer | undefined> {
    // Not `new Promise`: once that is compiled inline, the promise loses track of the request that it belongs to. What
    // follows it then runs on behalf of another request, and ends with that one (docs/adr/0008).
    const { promise, resolve: take } = Promise.withResolvers<Answer | undefined>();
    const waiting = { command, take };
    const timer = setTimeout(() => {
      const place = lane.waiting.indexOf(waiting);
      if (place >= 0) lane.waiting.splice(place, 1);
      this.#close(objectName, lane);
      take(undefined);
    }, PATIENCE_MS);
    lane.waiting.push(waiting);
    const answer = await promise;
    clearTimeout(timer);
    return answer;
  }

  /** Makes the calls of a lane until it is empty. */
  async #lead(stream: StreamClient, lane: Lane): Promise<void> {
    for (let batch = takeBatch(lane); batch.length > 0; batch = takeBatch(lane)) {
      lane.callsLeft -= 1;
      const answers = await callForAll(stream, batch);
      for (const [index, { take }] of batch.entries()) take(answers[index]);
    }
    this.#close(stream.objectName, lane);
  }

  /** The next append opens a new lane: this one is empty, or its leader is gone. */
  #close(objectName: string, lane: Lane): void {
    if (this.#lanes.get(objectName) === lane) this.#lanes.delete(objectName);
  }
}

function appendAlone(stream: StreamClient, command: AppendCommand): Promise<Answer> {
  return stream.call((stub) => stub.append(command));
}

/** @returns no answers when the call broke: each of them then calls alone, and reports what goes wrong for it. */
async function callForAll(stream: StreamClient, batch: readonly Waiting[]): Promise<readonly Answer[]> {
  const commands = batch.map(({ command }) => command);
  try {
    const called = await stream.call(async (stub) => ({ ok: true, answers: await stub.appendAll(commands) }));
    return called.ok ? called.answers : commands.map(() => called);
  } catch {
    return [];
  }
}

/** Takes out of the lane what fits into one call. */
function takeBatch({ waiting }: Lane): Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { command } of waiting) {
    bytes += command.bytes.length;
    if (bytes > BATCH_BYTES_MAX) break;
    count += 1;
  }
  return waiting.splice(0, count);
}

/** The object had too much waiting and did nothing: calling alone tries again for a while. */
function isOverloaded(answer: Answer): boolean {
  return !answer.ok && answer.problem.code === "overloaded";
}
