/** Resolves an offset to a position in the stream, or refuses it. */

import {
  offsetAt,
  refuse,
  refuseTrimmed,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { StreamState } from "../state.ts";

/** Where an offset points. */
export type Resolved = Result<{ readonly position: number }>;

/**
 * The position that an offset stands for, or why it is none of this stream's. An offset that no append ends at stands for
 * the largest boundary below it, up to one past the tail: clients that want "what comes after this offset" add one to it.
 * Inside the first append there is none but the beginning, where a guess would return everything again: that is refused.
 * This object does not look whether a JSON message ends inside an append: the edge does, when it reads for a client.
 *
 * Inside inherited bytes only their owner knows the boundaries, and in the cold part only R2: such a position is returned
 * as it came, and aligned when it is read (`PageCommand.align`, `ColdPages.boundary`).
 */
export function resolveOffset(state: StreamState, from: OffsetRef): Resolved {
  if (from.kind === "start") return { ok: true, position: state.earliest };
  if (from.kind === "now") return { ok: true, position: state.tail };
  const { position } = from;
  const isOwn = from.incarnation === state.lineage.incarnation;
  const isKnown = isOwn || state.lineage.ancestors.some(({ incarnation }) => incarnation === from.incarnation);
  if (isKnown && position < state.earliest) return refuseTrimmed(state.lineage, state.earliest);
  if (!isOwn) return resolveInherited(state, from.incarnation, position);
  if (position > state.tail + PAST_END_MAX) {
    return refuse("offset-beyond-tail", `The stream ends at ${offsetAt(state.lineage, state.tail)}.`);
  }
  if (position < state.base) return refuseForeign();
  const boundary = boundaryAt(state, position) ?? position;
  return isGuess(boundary, position) && state.tail > 0 ? refuseForeign() : { ok: true, position: boundary };
}

/** Whether an offset means the beginning only because no append ends before it. */
export function isGuess(boundary: number, position: number): boolean {
  return boundary === 0 && position > 0;
}

/** How far beyond the end of what a stream has an offset may be that a client has made from one of ours. */
const PAST_END_MAX = 1;

/**
 * The largest boundary at or below a position of the stream's own bytes: where they begin, or where an append ended.
 * @returns `undefined` in the cold part.
 */
export function boundaryAt({ base, tail, log }: StreamState, position: number): number | undefined {
  if (position === base || position >= tail) return Math.min(position, tail);
  return position < log.first ? undefined : Math.max(base, log.lastBoundaryAtOrBefore(position));
}

/** @returns a refusal for another stream: there is no other incarnation that this stream has anything of. */
function resolveInherited(state: StreamState, incarnation: number, position: number): Resolved {
  const index = state.lineage.ancestors.findIndex((ancestor) => ancestor.incarnation === incarnation);
  const ancestor = state.lineage.ancestors[index];
  if (ancestor === undefined) return refuseGone();
  const begin = state.lineage.ancestors[index - 1]?.to ?? 0;
  return position >= begin && position <= ancestor.to + PAST_END_MAX
    ? { ok: true, position: Math.min(position, ancestor.to) }
    : refuseForeign();
}

/** Refuses an offset of an earlier stream at this URL, or of another URL: an incarnation does not say which. */
export function refuseGone(): Refusal {
  return refuse("offset-gone", "The offset belongs to another stream, or to a deleted stream that had this URL.", {
    hint: "Use an offset that this stream returned, or start again from offset -1.",
  });
}

/** Refuses an offset of this stream whose position it does not have. */
export function refuseForeign(): Refusal {
  return refuse("offset-invalid", "The stream has never returned this offset.", {
    hint: "Offsets are opaque: use one exactly as the server returned it for this stream.",
  });
}

/** Refuses an offset inside an append, for an edge of an older version, which cannot move to the append's beginning. */
export function refuseUnaligned(): Refusal {
  return refuse("offset-invalid", "No append to this stream ends at this offset.", {
    hint: "Offsets are opaque: use one exactly as the server returned it.",
  });
}
