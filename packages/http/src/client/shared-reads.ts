/**
 * Reads of the same place that come together share an answer: while two calls for it are under way, later ones wait, and
 * the next call is for all of them. It begins after each of them has come, so none misses what was acknowledged before.
 * Whether a client may read has been decided for each of them by then. A crowd that reads the same thus costs its stream's
 * object, which has one thread, a few calls; up to two readers wait for nobody. The pages behind the first are fixed ranges
 * of one incarnation: whoever wants one joins the call for it that is under way.
 *
 * As with appends (`append-batcher.ts`, docs/adr/0008), the request that finds room for a call leads, also after its own
 * answer has gone out, and whoever runs out of patience calls alone.
 */

import type { PageCommand, PageFacts, ReadCommand, ReadFacts } from "@durable-streams-cloudflare/core/contracts/stream";
import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { KeepAlive } from "./append-batcher.ts";
import type { StreamClient } from "./stream-client.ts";

const PATIENCE_MS = 1_000;
/** Calls for the same place at a time. One would do for a crowd, but a second reader would have to wait for the first. */
const LANES_MAX = 2;
const WAITING_MAX = 1_024;
/** Calls that one request makes before another one leads: requests must end some time. */
const CALLS_MAX = 32;

/** `undefined`: the call broke, or nobody makes it any more. Each then calls alone, and reports what goes wrong for it. */
type Shared<Facts> = Result<Facts> | undefined;

/** Those who wait for the same answer. */
type Lane<Facts> = ((answer: Shared<Facts>) => void)[];

export class SharedReads {
  /** By what is read: those who share the next call. */
  readonly #reads = new Lanes<ReadFacts>();
  /** The same: those who share the call under way. */
  readonly #pages = new Lanes<PageFacts>();
  readonly #isSharing: boolean;

  /** @param isSharing `SHARED_READS`; otherwise every read calls alone. */
  constructor(isSharing: boolean) {
    this.#isSharing = isSharing;
  }

  /** The answer is shared: nothing in it may be changed. */
  async read(stream: StreamClient, command: ReadCommand, keepAlive: KeepAlive): Promise<Result<ReadFacts>> {
    const call = (): Promise<Result<ReadFacts>> => stream.call((stub) => stub.read(command));
    if (!this.#isSharing) return call();
    const { from, ifNoneMatch, paging } = command;
    const key = JSON.stringify([stream.objectName, stream.incarnation, placeOf(from), paging, ifNoneMatch]);
    return (await this.#reads.share(key, LANES_MAX, (lane) => keepAlive(this.#lead(key, lane, call)))) ?? call();
  }

  /** One page of a fixed range. The answer is shared, like that of a read. */
  async page(stream: StreamClient, command: PageCommand, keepAlive: KeepAlive): Promise<Result<PageFacts>> {
    const call = (): Promise<Result<PageFacts>> => stream.call((stub) => stub.page(command));
    if (!this.#isSharing) return call();
    const { incarnation, from, to, paging, checkFrom, align } = command;
    const key = JSON.stringify([stream.objectName, incarnation, from, to, paging, checkFrom, align]);
    return (await this.#pages.share(key, 1, (lane) => keepAlive(this.#bring(key, lane, call)))) ?? call();
  }

  /** Makes the calls of a lane until it is empty. */
  async #lead(key: string, lane: Lane<ReadFacts>, call: () => Promise<Result<ReadFacts>>): Promise<void> {
    for (let calls = 1; lane.length > 0; calls += 1) {
      const takers = lane.splice(0);
      if (calls === CALLS_MAX) this.#reads.close(key, lane);
      const answer = await call().catch(() => undefined);
      for (const take of takers) take(answer);
    }
    this.#reads.close(key, lane);
  }

  /** Makes the one call of a lane. */
  async #bring(key: string, lane: Lane<PageFacts>, call: () => Promise<Result<PageFacts>>): Promise<void> {
    const answer = await call().catch(() => undefined);
    this.#pages.close(key, lane);
    for (const take of lane) take(answer);
  }
}

/** Who waits for which answer. */
class Lanes<Facts> {
  readonly #lanes = new Map<string, readonly Lane<Facts>[]>();

  /**
   * Joins the shortest lane, or opens one as long as there are fewer than `max`.
   * @param lead makes the call, or calls, of a new lane.
   */
  share(key: string, max: number, lead: (lane: Lane<Facts>) => void): Promise<Shared<Facts>> {
    const lanes = this.#lanes.get(key) ?? [];
    const shortest = lanes.toSorted((a, b) => a.length - b.length)[0];
    if (shortest !== undefined && lanes.length >= max) return this.#follow(key, shortest);
    const { promise, resolve } = Promise.withResolvers<Shared<Facts>>();
    const lane: Lane<Facts> = [resolve];
    this.#lanes.set(key, [...lanes, lane]);
    lead(lane);
    return promise;
  }

  /** Nobody joins the lane any more. */
  close(key: string, lane: Lane<Facts>): void {
    const others = this.#lanes.get(key)?.filter((other) => other !== lane) ?? [];
    if (others.length > 0) this.#lanes.set(key, others);
    else this.#lanes.delete(key);
  }

  /** Waits in the lane; the timer is this request's own, so it rings whatever becomes of the leader. */
  async #follow(key: string, lane: Lane<Facts>): Promise<Shared<Facts>> {
    if (lane.length >= WAITING_MAX) return undefined;
    const { promise, resolve } = Promise.withResolvers<Shared<Facts>>();
    const timer = setTimeout(() => {
      const place = lane.indexOf(resolve);
      if (place >= 0) lane.splice(place, 1);
      this.close(key, lane);
      resolve(undefined);
    }, PATIENCE_MS);
    lane.push(resolve);
    const answer = await promise;
    clearTimeout(timer);
    return answer;
  }
}

function placeOf(from: OffsetRef): string {
  return from.kind === "at" ? `${from.incarnation}_${from.position}` : from.kind;
}
