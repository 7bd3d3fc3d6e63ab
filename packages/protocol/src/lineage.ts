/**
 * Whose bytes a stream is made of [PROTOCOL §4.2, §8]. A fork keeps its source's offsets up to the fork point and goes
 * on with its own, greater incarnation, so positions run on and offsets stay in order across the border.
 */

import { formatOffset, type OffsetRef } from "./offset.ts";

/** A stretch of inherited bytes, from the end of the stretch before it (or 0) up to `to`. */
export interface Ancestor {
  /** The stream's full name. */
  readonly name: string;
  readonly incarnation: number;
  readonly to: number;
}

/** A stream's own incarnation, and what it inherited, oldest first; nothing unless it is a fork. */
export interface Lineage {
  readonly incarnation: number;
  readonly ancestors: readonly Ancestor[];
}

/** The offset of a position: in the incarnation that the byte before it belongs to. */
export function offsetAt(lineage: Lineage, position: number): string {
  const owner = lineage.ancestors.find(({ to }) => position <= to);
  return formatOffset(owner?.incarnation ?? lineage.incarnation, position);
}

/** The same place for a command. */
export function refAt(lineage: Lineage, position: number): OffsetRef {
  const owner = lineage.ancestors.find(({ to }) => position <= to);
  return { kind: "at", incarnation: owner?.incarnation ?? lineage.incarnation, position };
}

/** Where a stream's own bytes begin. */
export function basePosition(lineage: Pick<Lineage, "ancestors">): number {
  return lineage.ancestors.at(-1)?.to ?? 0;
}

/** A stretch of a read: which stream's object has it. */
export interface Stretch {
  readonly name: string;
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
}

/** The stretches of `[from, to)` that were inherited, in order. At most one per ancestor. */
export function inheritedStretches(lineage: Pick<Lineage, "ancestors">, from: number, to: number): Stretch[] {
  const stretches: Stretch[] = [];
  let start = 0;
  for (const { name, incarnation, to: end } of lineage.ancestors) {
    const stretch = { name, incarnation, from: Math.max(from, start), to: Math.min(to, end) };
    if (stretch.from < stretch.to) stretches.push(stretch);
    start = end;
  }
  return stretches;
}

/**
 * What a fork inherits when it leaves this stream at a position. The beginning keeps its owner also when nothing is
 * inherited, so that the source's offset of the beginning is one of the fork too.
 */
export function ancestorsOfFork(name: string, lineage: Lineage, position: number): Ancestor[] {
  const whole = [...lineage.ancestors, { name, incarnation: lineage.incarnation, to: Infinity }];
  const inherited: Ancestor[] = [];
  for (const ancestor of whole) {
    const start = inherited.at(-1)?.to ?? -1;
    const to = Math.min(ancestor.to, position);
    if (start < to) inherited.push({ ...ancestor, to });
  }
  return inherited;
}

/** As much of a lineage as the offsets from the fork point on need: it fits into a header, however deep the chain. */
export function lineageAtBase({ incarnation, ancestors }: Lineage): Lineage {
  return { incarnation, ancestors: ancestors.slice(-1) };
}
