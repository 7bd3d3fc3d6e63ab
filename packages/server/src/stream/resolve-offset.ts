/** Where an offset points in a stream. */

import { offsetAt, refuse, refuseTrimmed, type OffsetRef, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { StreamState } from "./state.ts";

/**
 * The position of an offset, or why it is none of this stream's. For a place inside inherited bytes only their owner
 * knows whether an append ended there, and for a cold one only R2: that is looked at when they are read
 * (`PageCommand.checkFrom`).
 */
export function resolveOffset(state: StreamState, from: OffsetRef): number | Refusal {
  if (from.kind === "start") return state.earliest;
  if (from.kind === "now") return state.tail;
  const { position } = from;
  const isOwn = from.incarnation === state.lineage.incarnation;
  const isKnown = isOwn || state.lineage.ancestors.some(({ incarnation }) => incarnation === from.incarnation);
  if (isKnown && position < state.earliest) return refuseTrimmed(state.lineage, state.earliest);
  if (!isOwn) return resolveInherited(state, from.incarnation, position);
  if (position > state.tail) {
    return refuse("offset-beyond-tail", `The stream ends at ${offsetAt(state.lineage, state.tail)}.`);
  }
  return position >= state.base && mayBeOffset(state, position) ? position : refuseUnaligned();
}

/**
 * Whether an append ended at a position of the stream's own bytes. In the cold part only R2 knows: whoever reads from
 * there looks (`ColdPages.beginsAtBoundary`).
 */
export function mayBeOffset({ base, tail, log }: StreamState, position: number): boolean {
  return position === base || position === tail || position < log.first || log.isAppendBoundary(position);
}

/** @returns a refusal for a stream of the past: there is no other incarnation that this stream has anything of. */
function resolveInherited(state: StreamState, incarnation: number, position: number): number | Refusal {
  const index = state.lineage.ancestors.findIndex((ancestor) => ancestor.incarnation === incarnation);
  const ancestor = state.lineage.ancestors[index];
  if (ancestor === undefined) return refuseGone();
  const begin = state.lineage.ancestors[index - 1]?.to ?? 0;
  return position >= begin && position <= ancestor.to ? position : refuseUnaligned();
}

export function refuseGone(): Refusal {
  return refuse("offset-gone", "The offset belongs to a stream that was deleted from this URL.", {
    hint: "Read again from offset -1.",
  });
}

export function refuseUnaligned(): Refusal {
  return refuse("offset-invalid", "No append of this stream ends at this offset.", {
    hint: "Offsets are opaque: use one that the server sent, unchanged.",
  });
}
