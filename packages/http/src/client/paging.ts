/**
 * Reads a range page by page: hot bytes from the object, and cold bytes from R2 where the object says that they are. The
 * inherited bytes of a fork are read from the streams that hold them, each asked directly.
 */

import type {
  PageCommand,
  PageResult,
  ReadCommand,
  ReadResult,
} from "@durable-streams-cloudflare/core/contracts/stream";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { ColdPages, type ColdPage } from "@durable-streams-cloudflare/core/log/cold-pages";
import { SegmentUnavailable } from "@durable-streams-cloudflare/core/log/segment-reader";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import { isGuess, refuseForeign } from "@durable-streams-cloudflare/core/stream/read/resolve-offset";
import {
  matchesEtag,
  rangeEtag,
  refAt,
  refuseColdUnavailable,
  refuseWithoutSegments,
  type OffsetRef,
  type Refusal,
  type Result,
  type Stretch,
} from "@durable-streams-cloudflare/protocol";

import type { Exchange } from "../exchange.ts";
import { Renewal } from "./renewal.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** What is needed of a request to read for it. */
export type Reader = Pick<Exchange, "stream" | "segments" | "config" | "reads" | "keepAlive">;

/** A read that has begun: its result with the first page. */
export interface Reading {
  /**
   * The result of the read. Its `page` has the first bytes, hot or cold; it is empty only if the range is empty or the client's
   * copy is current.
   */
  readonly result: ReadResult;
  /** Whether the page ends at the end of an append. Known only for reads with `paging: "appends"`. */
  readonly isEnd: boolean;
  /** The cold bytes after the page, as far as they are known. */
  readonly cold: ColdPages | undefined;
}

/**
 * Starts a read and gets its first page, so that a wrong offset, or a failure of the object storage there, is refused before a
 * response begins. If the offset is inside an append, the read starts where that append begins, which is `result.from`.
 */
export async function startAtBoundary(reader: Reader, command: ReadCommand): Promise<Result<Reading>> {
  let from = command.from;
  for (;;) {
    const started = await startAt(reader, { ...command, from });
    if (!("boundary" in started)) return started;
    // Each is smaller than the one before, and an append has a bounded number of blocks.
    from = started.boundary;
  }
}

/**
 * Starts a read where a message ends inside an append.
 * @param result of a read that begins before that place. The caller has looked what ends there.
 */
export async function startAtMessage(
  reader: Reader,
  result: ReadResult,
  from: number,
  { ifNoneMatch, paging }: Pick<ReadCommand, "ifNoneMatch" | "paging">,
): Promise<Result<Reading>> {
  const { lineage, closed, to, tail } = result;
  const etag = rangeEtag(lineage.incarnation, from, to, closed && to === tail);
  const stretches = result.stretches
    .filter((stretch) => stretch.to > from)
    .map((stretch) => ({ ...stretch, from: Math.max(stretch.from, from) }));
  const nothing = { page: new Uint8Array(), end: from, cold: [], cuts: [] };
  const notModified = matchesEtag(ifNoneMatch, etag);
  const opened = await open(reader, { ...result, from, etag, notModified, stretches, ...nothing }, { paging });
  if ("boundary" in opened) throw new Error("A place that was not to be checked was.");
  return opened;
}

async function startAt(
  reader: Reader,
  command: ReadCommand,
): Promise<Result<Reading> | { readonly boundary: OffsetRef }> {
  const result = await reader.reads.read(reader.stream, command, reader.keepAlive);
  const check = command.from.kind === "at" ? ({ checkFrom: true, align: true } as const) : {};
  return result.ok ? open(reader, result, { paging: command.paging, ...check }) : result;
}

/** Gets the first page of a read, if the object had none of it. */
async function open(
  reader: Reader,
  result: ReadResult,
  how: Opening,
): Promise<Result<Reading> | { readonly boundary: OffsetRef }> {
  const first = await firstPage(reader, result, how);
  if (!first.ok) return first;
  if (first.boundary !== undefined) return movedTo(result, first.boundary);
  if (first.cold.length === 0) {
    const isEnd = first.end === result.from + first.page.length;
    return { ok: true, result: { ...result, ...first }, isEnd, cold: undefined };
  }
  if (reader.segments === undefined) return refuseWithoutSegments();
  const cold = new ColdPages(reader.segments, first.cold, how.paging);
  const page = await firstColdPage(reader, cold, result.from, how);
  if ("boundary" in page) return movedTo(result, page.boundary);
  return page.ok ? { ok: true, result: { ...result, page: page.bytes }, isEnd: page.isEnd, cold } : page;
}

function movedTo({ lineage, from }: ReadResult, boundary: number): Refusal | { readonly boundary: OffsetRef } {
  return isGuess(boundary, from) ? refuseForeign() : { boundary: refAt(lineage, boundary) };
}

/** Reads the rest of a range, after the first page of a `Reading`. */
export class RestOfRange {
  readonly #reader: Reader;
  readonly #stretches: readonly Stretch[];
  readonly #renewal: Renewal;
  #cold: ColdPages | undefined;

  constructor(reader: Reader, { result, cold }: Reading) {
    this.#reader = reader;
    this.#stretches = result.stretches;
    this.#renewal = new Renewal(reader.stream, result.lifetime);
    this.#cold = cold;
  }

  /**
   * Reads the page that begins at `position`, the end of the page before it.
   * @throws Error if the bytes no longer exist. The response then ends early, which clients notice as a failed read.
   */
  async next(position: number): Promise<Bytes> {
    await this.#renewal.goOn();
    return (await this.#nextCold()) ?? (await this.#fetch(position));
  }

  cancel(): void {
    this.#cold?.cancel();
  }

  async #nextCold(): Promise<Bytes | undefined> {
    const page = await this.#cold?.next();
    if (page === undefined) this.#cold = undefined;
    return page?.bytes;
  }

  async #fetch(position: number): Promise<Bytes> {
    const stretch = this.#stretches.find(({ to }) => position < to);
    if (stretch === undefined) throw new Error("The read went beyond its range.");
    const result = await fetchPage(this.#reader, { ...stretch, from: position, paging: "bytes" });
    if (!result.ok) throw new Error(`The read ended early: ${result.problem.code}.`);
    if (result.cold.length > 0) this.#cold = new ColdPages(storeOf(this.#reader), result.cold, "bytes");
    const page = result.cold.length > 0 ? await this.#nextCold() : result.page;
    if (page === undefined || page.length === 0) throw new Error("The read ended early: the log has a gap.");
    return page;
  }
}

/** What a read begins with, from whoever has it. */
async function firstPage(
  reader: Reader,
  { page, end, cold, notModified, stretches }: ReadResult,
  how: Opening,
): Promise<Result<PageResult>> {
  const [first] = stretches;
  if (notModified || page.length > 0 || cold.length > 0 || first === undefined) return { ok: true, page, end, cold };
  return fetchPage(reader, { ...first, ...how });
}

/** Of the place that a client named R2 alone knows whether an append ended there. */
async function firstColdPage(
  { config }: Reader,
  cold: ColdPages,
  position: number,
  { checkFrom }: Opening,
): Promise<Result<ColdPage> | { readonly boundary: number }> {
  try {
    const boundary = checkFrom === true ? await cold.boundary() : position;
    if (boundary !== position) {
      cold.cancel();
      return { boundary };
    }
    const page = await cold.next();
    if (page === undefined) throw new Error("A plan for reading cold segments is empty.");
    return { ok: true, ...page };
  } catch (error) {
    if (!(error instanceof SegmentUnavailable)) throw error;
    logFault(config.logLevel, "A read could not begin.", error);
    return refuseColdUnavailable();
  }
}

function storeOf({ segments }: Reader): SegmentStore {
  if (segments === undefined) throw new Error("The stream has cold segments, but the binding SEGMENTS is missing.");
  return segments;
}

/** How the first page is asked for: with a look whether an append ends where it begins, if a client named that place. */
type Opening = Pick<PageCommand, "paging" | "checkFrom" | "align">;
type StretchPage = Stretch & Opening;

function fetchPage(reader: Reader, { name, ...command }: StretchPage): Promise<Result<PageResult>> {
  return reader.reads.page(reader.stream.of(name), command, reader.keepAlive);
}
