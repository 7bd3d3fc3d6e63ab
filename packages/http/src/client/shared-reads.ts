/**
 * Shares reads of the same offset: while two calls for it are in flight, later reads wait, and the next call answers all of
 * them. That call starts after each of them arrived, so none misses data that was acknowledged before it. Each client was
 * authorized before it gets here. So a crowd of readers costs a stream's object, which has one thread, only a few calls; up to
 * two readers wait for nobody. Pages after the first are fixed ranges of one incarnation: a read joins a call for its page that
 * is in flight.
 *
 * As with appends (`append-batcher.ts`, docs/adr/0008), the request that may make a call leads, even after its own answer was
 * sent. Those whose leader counts as gone share another call. All who share a call that breaks are answered why: they asked
 * for the same.
 */

import type {
  PageCommand,
  PageResult,
  ReadCommand,
  ReadResult,
} from "@durable-streams-cloudflare/core/contracts/stream";
import { refuseUnanswered } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { KeepAlive } from "./append-batcher.ts";
import type { StreamClient } from "./stream-client.ts";

/** How long a call may take that a read waits for, before its leader counts as gone. */
const PATIENCE_MS = 10_000;
/** How long a read waits for the answer to a call that has its place in it. */
const ANSWER_MS_MAX = 25_000;
/** Calls for the same place at a time. One would do for a crowd, but a second reader would have to wait for the first. */
const FLIGHTS_MAX = 2;
const WAITING_MAX = 1_024;
/** Calls that a read tries to share. */
const TRIES = 2;
/** Calls that one request makes before another one leads: requests must end some time. */
const CALLS_MAX = 32;

/** The call broke. */
interface Unanswered {
  readonly error: unknown;
}

type Shared<Value> = Result<Value> | Unanswered;

/** The call took too long. */
const GONE: Unanswered = { error: undefined };

/** Those who wait for the same answer. */
interface Flight<Value> {
  readonly takers: ((answer: Shared<Value>) => void)[];
  /** When the call under way began, in ms. */
  calledAtMs: number;
}

/** The shared reads of one isolate. */
export class SharedReads {
  /** The reads that share the next call, by what they read. */
  readonly #reads = new Flights<ReadResult>();
  /** The same: those who share the call under way. */
  readonly #pages = new Flights<PageResult>();
  readonly #isSharing: boolean;

  readonly #onImpatience: () => void;

  /**
   * @param isSharing the setting `SHARED_READS`; if `false`, each read makes its own call.
   * @param onImpatience called whenever a leader counts as gone.
   */
  constructor(isSharing: boolean, onImpatience: () => void = () => {}) {
    this.#isSharing = isSharing;
    this.#onImpatience = onImpatience;
  }

  /** Reads a stream. The result may be shared with other requests, so it must not be modified. */
  async read(stream: StreamClient, command: ReadCommand, keepAlive: KeepAlive): Promise<Result<ReadResult>> {
    const call = (): Promise<Result<ReadResult>> => stream.call((stub) => stub.read(command));
    if (!this.#isSharing) return call();
    const { from, ifNoneMatch, paging, asHead } = command;
    const key = JSON.stringify([stream.objectName, stream.incarnation, placeOf(from), paging, ifNoneMatch, asHead]);
    const lead = (flight: Flight<ReadResult>): void => keepAlive(this.#lead(key, flight, call));
    return this.#shared(() => this.#reads.share(key, FLIGHTS_MAX, lead), call);
  }

  /** Reads one page of a fixed range. The result may be shared, as that of `read`. */
  async page(stream: StreamClient, command: PageCommand, keepAlive: KeepAlive): Promise<Result<PageResult>> {
    const call = (): Promise<Result<PageResult>> => stream.call((stub) => stub.page(command));
    if (!this.#isSharing) return call();
    const { incarnation, from, to, paging, checkFrom, align } = command;
    const key = JSON.stringify([stream.objectName, incarnation, from, to, paging, checkFrom, align]);
    const load = (flight: Flight<PageResult>): void => keepAlive(this.#load(key, flight, call));
    return this.#shared(() => this.#pages.share(key, 1, load), call);
  }

  /** Shares a call, and another one if its leader counts as gone. */
  async #shared<Value>(share: () => Sharing<Value>, call: () => Promise<Result<Value>>): Promise<Result<Value>> {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const { isAlone, answer } = share();
      if (isAlone) return call();
      const shared = await answer;
      if (shared === GONE) this.#onImpatience();
      else if ("ok" in shared) return shared;
      else throw shared.error;
    }
    return refuseUnanswered();
  }

  /** Makes the calls of a queue until it is empty. */
  async #lead(key: string, flight: Flight<ReadResult>, call: () => Promise<Result<ReadResult>>): Promise<void> {
    for (let calls = 1; flight.takers.length > 0; calls += 1) {
      const takers = flight.takers.splice(0);
      if (calls === CALLS_MAX) this.#reads.close(key, flight);
      flight.calledAtMs = Date.now();
      const answer = await call().catch((error: unknown) => ({ error }));
      for (const take of takers) take(answer);
    }
    this.#reads.close(key, flight);
  }

  /** Makes the one call of a flight. */
  async #load(key: string, flight: Flight<PageResult>, call: () => Promise<Result<PageResult>>): Promise<void> {
    const answer = await call().catch((error: unknown) => ({ error }));
    this.#pages.close(key, flight);
    for (const take of flight.takers) take(answer);
  }
}

/** What a read does to get the answer. */
interface Sharing<Value> {
  /** Too many wait already. */
  readonly isAlone: boolean;
  readonly answer: Promise<Shared<Value>>;
}

/** Who waits for which answer. */
class Flights<Value> {
  readonly #flights = new Map<string, readonly Flight<Value>[]>();

  /**
   * Joins the flight with the fewest readers, or opens one as long as there are fewer than `max`.
   * @param lead makes the call, or calls, of a new flight.
   */
  share(key: string, max: number, lead: (flight: Flight<Value>) => void): Sharing<Value> {
    const flights = this.#flights.get(key) ?? [];
    const shortest = flights.toSorted((a, b) => a.takers.length - b.takers.length)[0];
    if (shortest !== undefined && flights.length >= max) {
      if (shortest.takers.length >= WAITING_MAX) return { isAlone: true, answer: Promise.resolve(GONE) };
      return { isAlone: false, answer: this.#follow(key, shortest) };
    }
    const { promise, resolve } = Promise.withResolvers<Shared<Value>>();
    const flight: Flight<Value> = { takers: [resolve], calledAtMs: Date.now() };
    this.#flights.set(key, [...flights, flight]);
    lead(flight);
    return { isAlone: false, answer: promise };
  }

  /** Nobody joins the flight any more. */
  close(key: string, flight: Flight<Value>): void {
    const others = this.#flights.get(key)?.filter((other) => other !== flight) ?? [];
    if (others.length > 0) this.#flights.set(key, others);
    else this.#flights.delete(key);
  }

  /** Waits in the flight; the timer is this request's own, so it fires whatever becomes of the leader. */
  async #follow(key: string, flight: Flight<Value>): Promise<Shared<Value>> {
    const { promise, resolve } = Promise.withResolvers<Shared<Value>>();
    const look = (): void => {
      const place = flight.takers.indexOf(resolve);
      const limitMs = place < 0 ? ANSWER_MS_MAX : PATIENCE_MS;
      const leftMs = Math.min(limitMs, flight.calledAtMs + limitMs - Date.now());
      if (leftMs > 0) {
        timer = setTimeout(look, leftMs);
        return;
      }
      if (place >= 0) flight.takers.splice(place, 1);
      this.close(key, flight);
      resolve(GONE);
    };
    let timer = setTimeout(look, PATIENCE_MS);
    flight.takers.push(resolve);
    const answer = await promise;
    clearTimeout(timer);
    return answer;
  }
}

function placeOf(from: OffsetRef): string {
  return from.kind === "at" ? `${from.incarnation}_${from.position}` : from.kind;
}
