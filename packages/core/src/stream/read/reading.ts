/** What readers of a stream are answered: what it is, a range of its bytes, a page, where a live reader stands. */

import {
  matchesEtag,
  rangeEtag,
  refuse,
  refuseTrimmed,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { AttachFacts, HeadFacts, PageCommand, PageFacts, ReadCommand, ReadFacts } from "../../contracts/stream.ts";
import type { StreamHost } from "../host.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { StreamState } from "../state.ts";
import { ownPage, readEnd, stretchesOf } from "./read-plan.ts";
import type { Places } from "./reader-slots.ts";
import { boundaryAt, refuseGone, refuseUnaligned, resolveOffset } from "./resolve-offset.ts";

export interface ReadLimits {
  /** What one response carries at most, in bytes. */
  readonly readBytesMax: number;
  /** Live readers that may wait at the same time. */
  readonly readersMax: number;
}

export class Reading {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #places: Places;
  readonly #limits: ReadLimits;

  constructor(host: StreamHost, lifecycle: Lifecycle, places: Places, limits: ReadLimits) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#places = places;
    this.#limits = limits;
  }

  /** [PROTOCOL §5.5] Does not renew a sliding lifetime. */
  head(): Result<HeadFacts> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    const { streamSeq } = state;
    return { ok: true, ...headFacts(state), ...(streamSeq === undefined ? {} : { streamSeq }) };
  }

  /** [PROTOCOL §5.6] Promises a range, and gives its first page if it has it. */
  read(command: ReadCommand): Result<ReadFacts> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    const from = resolveOffset(state, command.from);
    if (typeof from !== "number") return from;
    this.#lifecycle.touch(state);
    const to = readEnd(state, this.#host, from, this.#limits.readBytesMax);
    const etag = rangeEtag(state.lineage.incarnation, from, to, state.closure !== undefined && to === state.tail);
    const notModified = command.from.kind !== "now" && matchesEtag(command.ifNoneMatch, etag);
    const stretches = stretchesOf(state, this.#host, from, to);
    const isOurs = !notModified && from >= state.base;
    const first = isOurs ? ownPage(state, this.#host, { from, to, paging: command.paging }) : noPage(from);
    return { ok: true, ...headFacts(state), from, to, etag, notModified, ...first, stretches };
  }

  /** Bytes for a reader of this stream or of a fork of it; refused when they have been deleted. */
  page(command: PageCommand): Result<PageFacts> {
    const state = this.#lifecycle.stored();
    if (state === undefined || state.lineage.incarnation !== command.incarnation) return refuseGone();
    const { from, to, paging, checkFrom = false, align = false } = command;
    const boundary = checkFrom ? (boundaryAt(state, from) ?? from) : from;
    if (boundary !== from) return align ? { ok: true, ...noPage(from), boundary } : refuseUnaligned();
    // To look at a cold place takes the bytes behind it.
    const facts = ownPage(state, this.#host, { from, to: checkFrom ? Math.max(to, from + 1) : to, paging });
    const isTrimmed = from < state.log.first && facts.cold.length === 0;
    return isTrimmed ? refuseTrimmed(state.lineage, state.earliest) : { ok: true, ...facts };
  }

  /** [PROTOCOL §5.7, §5.8] Where a live reader that comes with an offset stands. */
  attach(from: OffsetRef, isLimited = false): Result<AttachFacts> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    const position = resolveOffset(state, from);
    if (typeof position !== "number") return position;
    const standing = position < state.tail ? "behind" : state.closure === undefined ? "live" : "ended";
    const { readersMax } = this.#limits;
    const placesMax = isLimited ? this.#places.max : Infinity;
    if (standing === "live" && !this.#host.readers.admit(Math.min(readersMax, placesMax)))
      return refuseReader(placesMax < readersMax);
    this.#lifecycle.touch(state);
    return { ok: true, ...headFacts(state), standing, position };
  }
}

function noPage(end: number): PageFacts {
  return { page: new Uint8Array(), end, cold: [] };
}

/** Clients wait at least this long and then try again, for as long as it takes. */
const READER_RETRY_SECONDS = "5";

function refuseReader(isOfProject: boolean): Refusal {
  const headers = { "Retry-After": READER_RETRY_SECONDS };
  if (isOfProject) {
    return refuse("project-readers-full", "As many live readers as the project may have are waiting.", {
      hint: "Try again later, read without live, or have the administrator raise the project's limit liveReaders.",
      headers,
    });
  }
  return refuse("readers-full", "As many live readers as one stream may have are waiting on this one.", {
    hint: "Try again later, read without live, or raise READERS_MAX.",
    headers,
  });
}

function headFacts(state: StreamState): HeadFacts {
  const { contentType, lifetime, retention, earliest, lineage, tail, recordsAuthors } = state;
  const facts = { contentType, lifetime, retention, earliest, lineage, tail, closed: state.closure !== undefined };
  return recordsAuthors ? { ...facts, recordsAuthors } : facts;
}
