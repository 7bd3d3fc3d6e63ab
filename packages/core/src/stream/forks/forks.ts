/**
 * Creates forks [PROTOCOL §4.2]. Two objects take part: the fork pins the source's bytes, and then creates itself. A fork
 * copies nothing: it records which streams hold its inherited bytes, so that a read asks each of them once, however deep the
 * chain of forks is.
 */

import {
  ancestorsOfFork,
  formatOffset,
  framingOf,
  inheritedStretches,
  mediaType,
  MessageCounter,
  refuse,
  refuseColdUnavailable,
  refuseWithoutSegments,
  refuseNotFound,
  type Ancestor,
  type OffsetRef,
  type Refusal,
  type Result,
  type Stretch,
} from "@durable-streams-cloudflare/protocol";

import type { ForkCommand, PageResult, PinCommand, PinResult } from "../../contracts/stream.ts";
import { assertAtLeast } from "../../kit/assert.ts";
import { ColdPages } from "../../log/cold-pages.ts";
import { SegmentUnavailable } from "../../log/segment-reader.ts";
import type { StreamHost } from "../host.ts";
import { ownPage } from "../read/read-plan.ts";
import { isGuess, refuseForeign, resolveOffset, type Resolved } from "../read/resolve-offset.ts";
import type { StreamState } from "../state.ts";

/** How long a pin may take; a source refuses one that arrives later. */
export const PIN_MS_MAX = 30_000;
/** A pending release is due so much later if the fork's object died meanwhile: clocks of two machines may differ. */
export const CLOCK_SKEW_MS_MAX = 30_000;

/**
 * The offset as a repeated create is compared with it.
 * @param ancestors the fork's: the beginning has two names, `-1` and the offset of the oldest of them.
 */
export function canonicalOffset(offset: OffsetRef | null, ancestors: readonly Ancestor[]): string | null {
  if (offset === null) return null;
  const isBeginning =
    offset.kind !== "at" || (offset.position === 0 && offset.incarnation === ancestors[0]?.incarnation);
  return isBeginning ? "-1" : formatOffset(offset.incarnation, offset.position);
}

/**
 * What a fork inherits from this stream, if it may fork at the place it asks for. Writes nothing.
 * @param isCurrent whether the stream is still there: other objects are asked meanwhile.
 */
export async function planPin(
  state: StreamState,
  host: StreamHost,
  command: PinCommand,
  isCurrent: () => boolean,
): Promise<Result<PinResult>> {
  const { contentType, lifetime, lineage } = state;
  if (command.contentType !== null && mediaType(command.contentType) !== mediaType(contentType)) {
    return refuse(
      "content-type-mismatch",
      `The source's content type is ${contentType}, but the request's is ${command.contentType}.`,
      {
        hint: "Omit Content-Type: a fork takes over the content type of its source.",
      },
    );
  }
  const anchor = await resolveAnchor(state, host, command);
  if (!anchor.ok) return anchor;
  const place = await addSubOffset(state, { host, isCurrent }, anchor.position, command.subOffset);
  if (!place.ok) return place;
  const { position } = place;
  const ancestors = ancestorsOfFork(host.name, lineage, position);
  if (ancestors.length > ANCESTORS_MAX) {
    return refuse("fork-too-deep", `A fork can have at most ${ANCESTORS_MAX} ancestors.`, {
      hint: "Copy the source into a new stream and fork that one.",
    });
  }
  return { ok: true, contentType, lifetime, earliest: state.earliest, incarnation: lineage.incarnation, ancestors };
}

/** The last append boundary at or before the offset, whichever stream holds its bytes. */
export async function resolveAnchor(
  state: StreamState,
  host: StreamHost,
  { offset }: Pick<ForkCommand, "offset">,
): Promise<Resolved> {
  if (offset === null) return { ok: true, position: state.tail };
  const resolved = resolveOffset(state, offset);
  // For a read an offset of a past stream is 410; for a fork it is a bad request [PROTOCOL §4.2, Fork creation errors].
  if (!resolved.ok) return resolved.problem.code === "offset-gone" ? refuseForeign() : resolved;
  return offset.kind === "at" ? aligned(state, host, resolved.position) : resolved;
}

/** Goes back from a place inside an append, block by block, to where that append begins. */
async function aligned(state: StreamState, host: StreamHost, position: number): Promise<Resolved> {
  const [owner] = inheritedStretches(state.lineage, position, state.base);
  const page = await checkedPage(state, host, owner, position);
  if (!page.ok) return page;
  const cold =
    page.boundary === undefined ? await coldBoundary(host, page) : { ok: true as const, answer: page.boundary };
  if (!cold.ok) return cold;
  const boundary = cold.answer ?? position;
  if (boundary === position) return { ok: true, position };
  return isGuess(boundary, position) ? refuseForeign() : aligned(state, host, boundary);
}

/** The place may lie in inherited bytes: only their owner knows whether an append ended there. */
async function checkedPage(
  state: StreamState,
  host: StreamHost,
  owner: Stretch | undefined,
  position: number,
): Promise<Result<PageResult>> {
  if (owner !== undefined) {
    const range = { ...owner, to: owner.from, paging: "bytes" } as const;
    return host.peer(owner.name).page({ ...range, checkFrom: true, align: true });
  }
  if (position >= state.log.first) return { ok: true, page: new Uint8Array(), end: position, cold: [] };
  return { ok: true, ...ownPage(state, host, { from: position, to: position + 1, paging: "bytes" }) };
}

/** The bytes that a page begins with, from R2 if need be. */
async function firstBytes(host: StreamHost, result: PageResult): Promise<Result<{ bytes: Uint8Array<ArrayBuffer> }>> {
  const cold = await askCold(host, result, async (pages) => (await pages.next())?.bytes);
  return cold.ok ? { ok: true, bytes: cold.answer ?? result.page } : cold;
}

/** See `ColdPages.boundary`. */
function coldBoundary(host: StreamHost, result: PageResult): Promise<Result<{ answer: number | undefined }>> {
  return askCold(host, result, (pages) => pages.boundary());
}

/** What the cold part of a page answers; `undefined` when none of it is cold. */
async function askCold<Answer>(
  { segments }: StreamHost,
  { cold }: PageResult,
  ask: (pages: ColdPages) => Promise<Answer>,
): Promise<Result<{ answer: Answer | undefined }>> {
  if (cold.length === 0) return { ok: true, answer: undefined };
  if (segments === undefined) return refuseWithoutSegments();
  const pages = new ColdPages(segments, cold, "bytes");
  try {
    return { ok: true, answer: await ask(pages) };
  } catch (error) {
    if (error instanceof SegmentUnavailable) return refuseColdUnavailable();
    throw error;
  } finally {
    pages.cancel();
  }
}

/** Every read of a fork carries the list of its ancestors between object and edge. */
const ANCESTORS_MAX = 256;

/** Counting messages keeps the object from other work: about 5 ms a MiB. More than any single append has. */
const SUB_OFFSET_BYTES_MAX = 32 * 1024 * 1024;

interface PlanPorts {
  readonly host: StreamHost;
  readonly isCurrent: () => boolean;
}

/** Moves on by messages or bytes, across as many appends as it takes, never beyond the tail. */
async function addSubOffset(
  state: StreamState,
  ports: PlanPorts,
  anchor: number,
  subOffset: number,
): Promise<Resolved> {
  if (subOffset === 0) return { ok: true, position: anchor };
  if (framingOf(state.contentType) === "bytes") {
    const place = anchor + subOffset;
    return place <= state.tail ? { ok: true, position: place } : refuseSubOffset(state.tail - anchor, "bytes");
  }
  const counter = new MessageCounter(subOffset);
  for (let position = anchor; position < state.tail;) {
    const page = await readAnywhere(state, ports, position);
    if (!page.ok) return page;
    const { bytes } = page;
    if (position - anchor > SUB_OFFSET_BYTES_MAX) return refuseFarSubOffset();
    assertAtLeast("the bytes of a page before the tail", bytes.length, 1);
    const end = counter.take(bytes);
    if (end !== undefined) return { ok: true, position: position + end };
    position += bytes.length;
  }
  return refuseSubOffset(subOffset - counter.left, "messages");
}

/** A page from a position, whoever has it. */
async function readAnywhere(
  state: StreamState,
  { host, isCurrent }: PlanPorts,
  position: number,
): Promise<Result<{ bytes: Uint8Array<ArrayBuffer> }>> {
  const [owner] = inheritedStretches(state.lineage, position, state.base);
  if (owner === undefined) {
    if (!isCurrent()) return refuseNotFound();
    return firstBytes(host, ownPage(state, host, { from: position, to: state.tail, paging: "bytes" }));
  }
  const page = await host.peer(owner.name).page({ ...owner, paging: "bytes" });
  return page.ok ? firstBytes(host, page) : page;
}

function refuseFarSubOffset(): Refusal {
  return refuse(
    "fork-sub-offset-invalid",
    `A sub-offset can reach at most ${SUB_OFFSET_BYTES_MAX} bytes beyond its offset.`,
    {
      hint: "Use an offset closer to where the fork should begin.",
    },
  );
}

function refuseSubOffset(available: number, unit: string): Refusal {
  return refuse(
    "fork-sub-offset-invalid",
    `Only ${available} ${unit} lie between the offset and the end of the source.`,
  );
}
