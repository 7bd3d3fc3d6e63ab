/**
 * Starts a read at the offset that a client named. An offset of a JSON stream may lie inside an append, where a message ends:
 * server-sent events name such places between the parts of a large append. Nothing is stored about them, so that append is
 * read from its beginning to find out, and only for such an offset. Any other offset inside an append stands for where that
 * append begins.
 */

import type { ReadCommand, ReadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";
import { SegmentUnavailable } from "@durable-streams-cloudflare/core/log/segment-reader";
import {
  framingOf,
  MessageScanner,
  refAt,
  refuseColdUnavailable,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import { RestOfRange, startAtBoundary, startAtMessage, type Reader, type Reading } from "./paging.ts";

type Place = OffsetRef & { readonly kind: "at" };

/**
 * Starts a read and gets its first page, so that a wrong offset, or a failure of the object storage there, is refused before a
 * response begins. Where the read starts is `result.from`.
 */
export async function startReading(reader: Reader, command: ReadCommand): Promise<Result<Reading>> {
  const aligned = await startAtBoundary(reader, command);
  const { from } = command;
  if (from.kind !== "at") return aligned;
  const append = await appendAround(reader, from, aligned);
  if (append === undefined) return aligned;
  const found = await endsMessage(reader, append, from.position);
  if (!found.ok) return found;
  if (found.endsMessage) return startAtMessage(reader, append.result, from.position, command);
  // What was opened there has been read.
  return aligned.ok ? startAtBoundary(reader, { ...command, from: beginOf(append.result) }) : aligned;
}

/** A read that begins where the append does that an offset is inside of; `undefined` if there are no places in it. */
async function appendAround(reader: Reader, from: Place, aligned: Result<Reading>): Promise<Reading | undefined> {
  if (aligned.ok) return isInside(from, aligned.result) ? aligned : undefined;
  if (!mayBeMessage(from, aligned)) return undefined;
  const head = await reader.stream.call((stub) => stub.head());
  if (!head.ok || !isInside(from, { ...head, from: head.earliest, to: head.tail })) return undefined;
  const start = { from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" } as const;
  const begun = await startAtBoundary(reader, start);
  if (!begun.ok || isInside(from, begun.result)) return begun.ok ? begun : undefined;
  begun.cold?.cancel();
  return undefined;
}

/**
 * Whether a refused offset may yet be where a message ends, which only a read finds out: no other offset inside the first
 * append of a stream is accepted.
 */
export function mayBeMessage(from: OffsetRef, { problem }: Refusal): boolean {
  return from.kind === "at" && problem.code === "offset-invalid";
}

function isInside(
  { incarnation, position }: Place,
  { contentType, lineage, from, to }: Pick<ReadResult, "contentType" | "lineage" | "from" | "to">,
): boolean {
  const isPlace = from < position && position < to && framingOf(contentType) === "json";
  const at = refAt(lineage, position);
  return isPlace && at.kind === "at" && at.incarnation === incarnation;
}

function beginOf({ lineage, from }: ReadResult): OffsetRef {
  return refAt(lineage, from);
}

/**
 * Whether a message ends at a position.
 * @param begun a read that begins where an append does. It is used up.
 */
async function endsMessage(
  reader: Reader,
  begun: Reading,
  position: number,
): Promise<Result<{ readonly endsMessage: boolean }>> {
  const rest = new RestOfRange(reader, begun);
  const scanner = new MessageScanner();
  let { page, from: at } = begun.result;
  try {
    for (;;) {
      const isEnd = scanner.isEndAfter(page.subarray(0, position - at));
      at += page.length;
      if (at >= position) return { ok: true, endsMessage: isEnd };
      await FOREGROUND.yieldToAppends();
      page = await rest.next(at);
    }
  } catch (error) {
    if (!(error instanceof SegmentUnavailable)) throw error;
    return refuseColdUnavailable();
  } finally {
    rest.cancel();
  }
}
