/** The newest frames of one stream, in memory, for all live readers of this isolate. */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import { concatBytes } from "@durable-streams-cloudflare/core/kit/bytes";

const MIB = 1024 * 1024;

/** The most frames of one stream. */
export const RECENT_FRAMES_MAX = 64;
/** The most bytes of one stream. A larger frame is not kept: its readers read it page by page. */
export const RECENT_BYTES_MAX = MIB;
/** The most bytes of all streams of one isolate together. */
export const ALL_BYTES_MAX = 16 * MIB;

/** A frame that is kept, with what its readers have encoded of it for each other. */
export interface KeptFrame extends LiveFrame {
  /** The encoded events, by what they depend on besides the frame. */
  readonly events?: Map<string, Uint8Array>;
}

/** The memory that the hubs of one isolate share: when it is used up, the oldest frame of any stream goes. */
export class FrameBudget {
  readonly #bytesMax: number;
  /** In the order in which they came, so the first one is the oldest of its stream. */
  readonly #frames = new Map<KeptFrame, RecentFrames>();
  #bytes = 0;

  constructor(bytesMax: number = ALL_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The bytes of all frames. */
  get bytes(): number {
    return this.#bytes;
  }

  add(frame: KeptFrame, of: RecentFrames): void {
    this.#frames.set(frame, of);
    this.#bytes += frame.bytes.length;
    for (const [, oldest] of this.#frames) {
      if (this.#bytes <= this.#bytesMax) return;
      oldest.dropOldest();
    }
  }

  remove(frame: KeptFrame): void {
    if (this.#frames.delete(frame)) this.#bytes -= frame.bytes.length;
  }
}

/** Consecutive frames: each begins where the one before it ends. */
export class RecentFrames {
  readonly #budget: FrameBudget;
  readonly #frames: KeptFrame[] = [];
  #bytes = 0;

  constructor(budget: FrameBudget) {
    this.#budget = budget;
  }

  /** @param frame begins where the newest frame ends. If it is too large, no frame is left. */
  push(frame: LiveFrame): void {
    const size = frame.bytes.length;
    if (size > RECENT_BYTES_MAX) return this.clear();
    while (this.#frames.length === RECENT_FRAMES_MAX || this.#bytes + size > RECENT_BYTES_MAX) this.dropOldest();
    const kept = { ...frame, events: new Map<string, Uint8Array>() };
    this.#frames.push(kept);
    this.#bytes += size;
    this.#budget.add(kept, this);
  }

  dropOldest(): void {
    const oldest = this.#frames.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.bytes.length;
    this.#budget.remove(oldest);
  }

  clear(): void {
    while (this.#frames.length > 0) this.dropOldest();
  }

  /** Whether a frame begins at a position. */
  beginsAt(position: number): boolean {
    return this.#frames.some(({ from }) => from === position);
  }

  /**
   * The frame behind a position, or the rest of the frame that the position is inside of.
   * @returns `undefined` if it is not here: it is still to come, or is no longer there.
   */
  after(position: number): KeptFrame | undefined {
    const index = this.#indexAfter(position);
    const frame = this.#frames[index];
    return frame === undefined || frame.from === position ? frame : restOf(frame, position);
  }

  /** All that is behind a position, as one frame; only so many whole frames as `bytesMax` allows, but at least one. */
  allAfter(position: number, bytesMax: number): LiveFrame | undefined {
    const first = this.after(position);
    if (first === undefined) return undefined;
    const frames: LiveFrame[] = [first];
    let size = first.bytes.length;
    for (const frame of this.#frames.slice(this.#indexAfter(position) + 1)) {
      size += frame.bytes.length;
      if (size > bytesMax) break;
      frames.push(frame);
    }
    const last = frames.at(-1) ?? first;
    if (last === first) return first;
    const bytes = concatBytes(frames.map((frame) => frame.bytes));
    return { from: position, to: last.to, closed: last.closed, bytes };
  }

  /** Nearly always it is the newest frame. */
  #indexAfter(position: number): number {
    for (let index = this.#frames.length - 1; index >= 0; index -= 1) {
      const frame = this.#frames[index];
      if (frame !== undefined && frame.from <= position) return position < frame.to ? index : -1;
    }
    return -1;
  }
}

/** @param position in the frame, at the end of an append. */
export function restOf({ from, to, closed, bytes }: LiveFrame, position: number): LiveFrame {
  return { from: position, to, closed, bytes: bytes.subarray(position - from) };
}
