/**
 * Appends to one stream that arrive together travel together: while one call to the stream's object is under way, later
 * ones wait, and the first of them then takes all of them along. Alone, an append waits for nobody. Under load this
 * saves most of the calls to the object, which are what an append costs most time, and money.
 *
 * A call belongs to the request that makes it, and may end with it. So nobody waits for another for long: whoever runs
 * out of patience calls alone. The object recognises what it has stored already, by the producer
 * or by the attempt, so an append that travels twice is stored once.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { AppendCommand, AppendFacts } from "../stream/commands.ts";
import type { StreamClient } from "./stream-client.ts";

const PATIENCE_MS = 1_000;
/** What one call carries, well below the 32 MiB of a message between a Worker and an object. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
const LANE_COUNT_MAX = 128;

type Answer = Result<AppendFacts>;
/** `lead`: the call under way has ended, make the next one. `alone`: nobody answers for this append any more. */
type Turn =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "lead" }
  | { readonly kind: "alone" };

interface Waiting {
  readonly command: AppendCommand;
  readonly take: (turn: Turn) => void;
}

/** Asks the runtime to see a promise through also when the request's client goes away. */
export type KeepAlive = (promise: Promise<unknown>) => void;

/** The appends of one stream that wait for the call under way. */
type Lane = Waiting[];

export class AppendBatcher {
  readonly #lanes = new Map<string, Lane>();
  readonly #isSharing: boolean;

  /** @param isSharing `SHARED_APPENDS`; otherwise every append calls alone. */
  constructor(isSharing: boolean) {
    this.#isSharing = isSharing;
  }

  /** Resolves when the append is durable or refused. */
  append(stream: StreamClient, command: AppendCommand, keepAlive: KeepAlive): Promise<Answer> {
    if (!this.#isSharing) return appendAlone(stream, command);
    const answer = this.#append(stream, command);
    // Others may be waiting for this request, also when its client does not any more.
    keepAlive(answer.catch(() => undefined));
    return answer;
  }

  async #append(stream: StreamClient, command: AppendCommand): Promise<Answer> {
    const lane = this.#lanes.get(stream.objectName);
    if (lane === undefined) {
      const newLane: Lane = [];
      this.#lanes.set(stream.objectName, newLane);
      return this.#lead(stream, newLane, command);
    }
    if (lane.length >= LANE_COUNT_MAX) this.#close(stream.objectName, lane);
    if (lane.length >= LANE_COUNT_MAX || command.bytes.length > BATCH_BYTES_MAX) return appendAlone(stream, command);
    const turn = await waitForTurn(lane, command);
    switch (turn.kind) {
      case "answer":
        return isOverloaded(turn.answer) ? appendAlone(stream, command) : turn.answer;
      case "lead":
        return this.#lead(stream, lane, command);
      case "alone":
        this.#close(stream.objectName, lane);
        return appendAlone(stream, command);
    }
  }

  /** Makes one call for this append and for all that wait, then passes the lane on. */
  async #lead(stream: StreamClient, lane: Lane, own: AppendCommand): Promise<Answer> {
    const others = takeBatch(lane, own.bytes.length);
    const commands = [own, ...others.map(({ command }) => command)];
    const answers = await this.#call(stream, lane, commands).catch((error: unknown) => {
      for (const { take } of others) take({ kind: "alone" });
      throw error;
    });
    for (const [index, { take }] of others.entries()) take({ kind: "answer", answer: present(answers[index + 1]) });
    const answer = present(answers[0]);
    return isOverloaded(answer) ? appendAlone(stream, own) : answer;
  }

  async #call(stream: StreamClient, lane: Lane, commands: readonly AppendCommand[]): Promise<readonly Answer[]> {
    try {
      const called = await stream.call(async (stub) => ({ ok: true, answers: await stub.appendAll(commands) }));
      return called.ok ? called.answers : commands.map(() => called);
    } finally {
      // First of all: the next call is under way while the answers of this one go out.
      this.#passOn(stream.objectName, lane);
    }
  }

  #passOn(objectName: string, lane: Lane): void {
    const next = lane.shift();
    if (next === undefined) this.#close(objectName, lane);
    else next.take({ kind: "lead" });
  }

  /** The next append opens a new lane: this one is empty, or whoever led it is gone. */
  #close(objectName: string, lane: Lane): void {
    if (this.#lanes.get(objectName) === lane) this.#lanes.delete(objectName);
  }
}

function appendAlone(stream: StreamClient, command: AppendCommand): Promise<Answer> {
  return stream.call((stub) => stub.append(command));
}

/** Waits in the lane; the timer is this request's own, so it rings whatever becomes of the others. */
async function waitForTurn(lane: Lane, command: AppendCommand): Promise<Turn> {
  // Not `new Promise`: once that is compiled inline, the promise loses track of the request that it belongs to. What
  // follows it then runs on behalf of another request, and ends with that one (docs/adr/0008).
  const { promise, resolve: take } = Promise.withResolvers<Turn>();
  const waiting = { command, take };
  const timer = setTimeout(() => {
    const place = lane.indexOf(waiting);
    if (place >= 0) lane.splice(place, 1);
    take({ kind: "alone" });
  }, PATIENCE_MS);
  lane.push(waiting);
  const turn = await promise;
  clearTimeout(timer);
  return turn;
}

/** Takes out of the lane what fits into one call besides the bytes of its leader. */
function takeBatch(lane: Lane, ownBytes: number): Lane {
  let bytes = ownBytes;
  let count = 0;
  for (const { command } of lane) {
    bytes += command.bytes.length;
    if (bytes > BATCH_BYTES_MAX) break;
    count += 1;
  }
  return lane.splice(0, count);
}

/** The object had too much waiting and did nothing: calling alone tries again for a while. */
function isOverloaded(answer: Answer): boolean {
  return !answer.ok && answer.problem.code === "overloaded";
}

function present(answer: Answer | undefined): Answer {
  if (answer === undefined) throw new Error("The object gave fewer answers than there were appends.");
  return answer;
}
