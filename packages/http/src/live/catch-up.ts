/**
 * Reads what a live session still has to send before it is live, page by page, and whether each page ends with a whole append.
 */

import type { ReadCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { refAt, type Lifetime, type Lineage, type OffsetRef, type Result } from "@durable-streams-cloudflare/protocol";

import { RestOfRange, startAtBoundary, type Reading } from "../client/paging.ts";
import { Renewal } from "../client/renewal.ts";
import type { Exchange } from "../exchange.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A page of a read for SSE. */
export interface EventPage {
  readonly bytes: Bytes;
  /** Whether the page ends at the end of an append. It is `false` only for a page that ends inside one append. */
  readonly isEnd: boolean;
  /** The stream's tail when the read began. */
  readonly tail: number;
  readonly closed: boolean;
}

/** Catching up of one live session, from the result of its first read. */
export class CatchUp {
  readonly #exchange: Exchange;
  readonly #lineage: Lineage;
  readonly #renewal: Renewal;
  /** A read whose first page has not been asked for yet. */
  #begun: Reading | undefined;
  #reading: Reading | undefined;
  /** What is left of a large append that is hot. */
  #rest: RestOfRange | undefined;
  /** What is left of a page of many appends: each is an event of its own. */
  #cut: EventPage[] = [];

  constructor(exchange: Exchange, stream: { lineage: Lineage; lifetime: Lifetime }, begun: Reading | undefined) {
    this.#exchange = exchange;
    this.#lineage = stream.lineage;
    this.#renewal = new Renewal(exchange.stream, stream.lifetime);
    this.#begun = begun;
  }

  /** Reads the page that begins at `position`, the end of the page before it. At the tail, the page is empty. */
  async next(position: number): Promise<Result<EventPage>> {
    await this.#renewal.goOn();
    return (await this.#goOn(position)) ?? (await this.#start(position));
  }

  cancel(): void {
    this.#begun?.cold?.cancel();
    this.#reading?.cold?.cancel();
    this.#rest?.cancel();
  }

  async #goOn(position: number): Promise<Result<EventPage> | undefined> {
    const reading = this.#reading;
    if (reading === undefined) return undefined;
    const cut = this.#cut.shift();
    if (cut !== undefined) return { ok: true, ...cut };
    const cold = await reading.cold?.next();
    if (cold !== undefined) return pageOf(reading, cold.bytes, cold.isEnd);
    if (this.#rest === undefined) return undefined;
    const bytes = await this.#rest.next(position);
    const isEnd = position + bytes.length === reading.result.end;
    if (isEnd) this.#rest = undefined;
    return pageOf(reading, bytes, isEnd);
  }

  async #start(position: number): Promise<Result<EventPage>> {
    const begun = this.#begun;
    this.#begun = undefined;
    const from = refAt(this.#lineage, position);
    const reading =
      begun === undefined ? await startAtBoundary(this.#exchange, eventsFrom(from)) : { ok: true as const, ...begun };
    if (!reading.ok) return reading;
    const { result, cold, isEnd } = reading;
    this.#reading = reading;
    this.#rest = isEnd || cold !== undefined ? undefined : restOfAppend(this.#exchange, reading);
    const [first, ...others] = cutPage(reading).map((bytes) => ({
      bytes,
      isEnd,
      tail: result.tail,
      closed: result.closed,
    }));
    this.#cut = others;
    return first === undefined ? pageOf(reading, result.page, isEnd) : { ok: true, ...first };
  }
}

/** The command of a read whose pages end at the ends of appends, because events must. */
export function eventsFrom(from: OffsetRef): ReadCommand {
  return { from, ifNoneMatch: null, paging: "appends" };
}

function restOfAppend(exchange: Exchange, { result }: Reading): RestOfRange {
  const stretches = result.stretches.slice(0, 1).map((stretch) => ({ ...stretch, to: result.end }));
  return new RestOfRange(exchange, { result: { ...result, stretches }, isEnd: false, cold: undefined });
}

/** The chunks of a page of which each makes one event. */
function cutPage({ result: { page, from, cuts = [] } }: Reading): Bytes[] {
  const places = [...cuts.map((cut) => cut - from), page.length];
  return places.map((place, index) => page.subarray(places[index - 1] ?? 0, place));
}

function pageOf({ result: { tail, closed } }: Reading, bytes: Bytes, isEnd: boolean): Result<EventPage> {
  return { ok: true, bytes, isEnd, tail, closed };
}
