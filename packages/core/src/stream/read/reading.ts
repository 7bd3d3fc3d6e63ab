/** Answers the readers of a stream: metadata, a range, a page, or the position of a live reader. */

import {
  matchesEtag,
  rangeEtag,
  refuseTrimmed,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { ReaderAdmission, ReaderBudget } from "../../contracts/reader-slots.ts";
import type {
  AttachResult,
  HeadResult,
  PageCommand,
  PageResult,
  ReadCommand,
  ReadResult,
} from "../../contracts/stream.ts";
import type { StreamHost } from "../host.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { StreamState } from "../state.ts";
import { ownPage, readEnd, stretchesOf } from "./read-plan.ts";
import type { ReaderSlots } from "./reader-slots.ts";
import { refuseReader } from "./refuse-reader.ts";
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
  readonly #readerSlots: Readonly<Record<ReaderBudget, ReaderSlots>>;
  readonly #limits: ReadLimits;

  constructor(
    host: StreamHost,
    lifecycle: Lifecycle,
    readerSlots: Readonly<Record<ReaderBudget, ReaderSlots>>,
    limits: ReadLimits,
  ) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#readerSlots = readerSlots;
    this.#limits = limits;
  }

  /** [PROTOCOL §5.5] Does not renew a sliding lifetime. */
  head(): Result<HeadResult> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    return { ok: true, ...headResult(found.state), ...streamSeqOf(found.state) };
  }

  /** [PROTOCOL §5.6] Promises a range, and gives its first page if it has it. */
  read(command: ReadCommand): Result<ReadResult> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    const resolved = resolveOffset(state, command.from);
    if (!resolved.ok) return resolved;
    const from = resolved.position;
    this.#lifecycle.touch(state);
    const to = readEnd(state, this.#host, from, command.asHead ? Infinity : this.#limits.readBytesMax);
    const etag = rangeEtag(state.lineage.incarnation, from, to, state.closure !== undefined && to === state.tail);
    const notModified = command.from.kind !== "now" && matchesEtag(command.ifNoneMatch, etag);
    const stretches = stretchesOf(state, this.#host, from, to);
    const isOurs = !notModified && from >= state.base;
    const first = isOurs ? ownPage(state, this.#host, { from, to, paging: command.paging }) : noPage(from);
    const own = command.asHead ? streamSeqOf(state) : {};
    return { ok: true, ...headResult(state), ...own, from, to, etag, notModified, ...first, stretches };
  }

  /** Bytes for a reader of this stream or of a fork of it; refused when they have been deleted. */
  page(command: PageCommand): Result<PageResult> {
    const state = this.#lifecycle.stored();
    if (state === undefined || state.lineage.incarnation !== command.incarnation) return refuseGone();
    const { from, to, paging, checkFrom = false, align = false } = command;
    const boundary = checkFrom ? (boundaryAt(state, from) ?? from) : from;
    if (boundary !== from) return align ? { ok: true, ...noPage(from), boundary } : refuseUnaligned();
    // To look at a cold place takes the bytes behind it.
    const result = ownPage(state, this.#host, { from, to: checkFrom ? Math.max(to, from + 1) : to, paging });
    const isTrimmed = from < state.log.first && result.cold.length === 0;
    return isTrimmed ? refuseTrimmed(state.lineage, state.earliest) : { ok: true, ...result };
  }

  /** [PROTOCOL §5.7, §5.8] Where a live reader that comes with an offset stands. */
  attach(from: OffsetRef, admission: ReaderAdmission): Result<AttachResult> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    const resolved = resolveOffset(state, from);
    if (!resolved.ok) return resolved;
    const { position } = resolved;
    const status = position < state.tail ? "behind" : state.closure === undefined ? "live" : "ended";
    if (status === "live") {
      const refusal = this.#admit(admission);
      if (refusal !== undefined) return refusal;
    }
    this.#lifecycle.touch(state);
    return { ok: true, ...headResult(state), status, position };
  }

  #admit({ budget, isLimited }: ReaderAdmission): Refusal | undefined {
    const { readers } = this.#host;
    if (!readers.hasSlot("all", this.#limits.readersMax)) return refuseReader();
    if (isLimited && !readers.hasSlot(budget, this.#readerSlots[budget].max)) return refuseReader(budget);
    readers.take(budget);
    return undefined;
  }
}

function noPage(end: number): PageResult {
  return { page: new Uint8Array(), end, cold: [] };
}

function streamSeqOf({ streamSeq }: StreamState): Pick<HeadResult, "streamSeq"> {
  return streamSeq === undefined ? {} : { streamSeq };
}

function headResult(state: StreamState): HeadResult {
  const { contentType, lifetime, retention, earliest, lineage, tail, recordsAuthors } = state;
  const result = { contentType, lifetime, retention, earliest, lineage, tail, closed: state.closure !== undefined };
  return recordsAuthors ? { ...result, recordsAuthors } : result;
}
