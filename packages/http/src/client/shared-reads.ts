/**
 * Shares reads of the same offset: while two calls for it are in flight, later reads wait, and the next call answers all of
 * them. That call starts after each of them arrived, so none misses data that was acknowledged before it. Each client was
 * authorized before it gets here. So a crowd of readers costs a stream's object, which has one thread, only a few calls; up to
 * two readers wait for nobody. Pages after the first are fixed ranges of one incarnation: a read joins a call for its page that
 * is in flight.
 *
 * As with appends (`append-batcher.ts`, docs/adr/0008), the request that may make a call leads, even after its own answer was
 * sent, and a request that has waited too long makes its own call.
 */

import type {
  PageCommand,
  PageResult,
  ReadCommand,
  ReadResult,
} from "@durable-streams-cloudflare/core/contracts/stream";
import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { KeepAlive } from "./append-batcher.ts";
import type { StreamClient } from "./stream-client.ts";

const PATIENCE_MS = 1_000;
/** Calls for the same place at a time. One would do for a crowd, but a second reader would have to wait for the first. */
const FLIGHTS_MAX = 2;
const WAITING_MAX = 1_024;
/** Calls that one request makes before another one leads: requests must end some time. */
const CALLS_MAX = 32;

/** `undefined`: the call broke, or nobody makes it any more. Each then calls alone, and reports what goes wrong for it. */
type Shared<Value> = Result<Value> | undefined;

/** Those who wait for the same answer. */
type Flight<Value> = ((answer: Shared<Value>) => void)[];

/** The shared reads of one isolate. */
export class SharedReads {
  /** The reads that share the next call, by what they read. */
  readonly #reads = new Flights<ReadResult>();
  /** The same: those who share the call under way. */
  readonly #pages = new Flights<PageResult>();
  readonly #isSharing: boolean;

  /** @param isSharing the setting `SHARED_READS`; if `false`, each read makes its own call. */
  constructor(isSharing: boolean) {
    this.#isSharing = isSharing;
  }

  /** Reads a stream. The result may be shared with other requests, so it must not be modified. */
  async read(stream: StreamClient, command: ReadCommand, keepAlive: KeepAlive): Promise<Result<ReadResult>> {
    const call = (): Promise<Result<ReadResult>> => stream.call((stub) => stub.read(command));
    if (!this.#isSharing) return call();
    const { from, ifNoneMatch, paging, asHead } = command;
    const key = JSON.stringify([stream.objectName, stream.incarnation, placeOf(from), paging, ifNoneMatch, asHead]);
    return (await this.#reads.share(key, FLIGHTS_MAX, (flight) => keepAlive(this.#lead(key, flight, call)))) ?? call();
  }

  /** Reads one page of a fixed range. The result may be shared, as that of `read`. */
  async page(stream: StreamClient, command: PageCommand, keepAlive: KeepAlive): Promise<Result<PageResult>> {
    const call = (): Promise<Result<PageResult>> => stream.call((stub) => stub.page(command));
    if (!this.#isSharing) return call();
    const { incarnation, from, to, paging, checkFrom, align } = command;
    const key = JSON.stringify([stream.objectName, incarnation, from, to, paging, checkFrom, align]);
    return (await this.#pages.share(key, 1, (flight) => keepAlive(this.#load(key, flight, call)))) ?? call();
  }

  /** Makes the calls of a queue until it is empty. */
  async #lead(key: string, flight: Flight<ReadResult>, call: () => Promise<Result<ReadResult>>): Promise<void> {
    for (let calls = 1; flight.length > 0; calls += 1) {
      const takers = flight.splice(0);
      if (calls === CALLS_MAX) this.#reads.close(key, flight);
      const answer = await call().catch(() => undefined);
      for (const take of takers) take(answer);
    }
    this.#reads.close(key, flight);
  }

  /** Makes the one call of a flight. */
  async #load(key: string, flight: Flight<PageResult>, call: () => Promise<Result<PageResult>>): Promise<void> {
    const answer = await call().catch(() => undefined);
    this.#pages.close(key, flight);
    for (const take of flight) take(answer);
  }
}

/** Who waits for which answer. */
class Flights<Value> {
  readonly #flights = new Map<string, readonly Flight<Value>[]>();

  /**
   * Joins the flight with the fewest readers, or opens one as long as there are fewer than `max`.
   * @param lead makes the call, or calls, of a new flight.
   */
  share(key: string, max: number, lead: (flight: Flight<Value>) => void): Promise<Shared<Value>> {
    const flights = this.#flights.get(key) ?? [];
    const shortest = flights.toSorted((a, b) => a.length - b.length)[0];
    if (shortest !== undefined && flights.length >= max) return this.#follow(key, shortest);
    const { promise, resolve } = Promise.withResolvers<Shared<Value>>();
    const flight: Flight<Value> = [resolve];
    this.#flights.set(key, [...flights, flight]);
    lead(flight);
    return promise;
  }

  /** Nobody joins the flight any more. */
  close(key: string, flight: Flight<Value>): void {
    const others = this.#flights.get(key)?.filter((other) => other !== flight) ?? [];
    if (others.length > 0) this.#flights.set(key, others);
    else this.#flights.delete(key);
  }

  /** Waits in the flight; the timer is this request's own, so it fires whatever becomes of the leader. */
  async #follow(key: string, flight: Flight<Value>): Promise<Shared<Value>> {
    if (flight.length >= WAITING_MAX) return undefined;
    const { promise, resolve } = Promise.withResolvers<Shared<Value>>();
    const timer = setTimeout(() => {
      const place = flight.indexOf(resolve);
      if (place >= 0) flight.splice(place, 1);
      this.close(key, flight);
      resolve(undefined);
    }, PATIENCE_MS);
    flight.push(resolve);
    const answer = await promise;
    clearTimeout(timer);
    return answer;
  }
}

function placeOf(from: OffsetRef): string {
  return from.kind === "at" ? `${from.incarnation}_${from.position}` : from.kind;
}
