/**
 * Passes the frames of one channel on to a hub. Where something is missing, because the channel changed hands or because a
 * frame says only that there is more, the range is read once for all readers of the isolate. Meanwhile, later frames wait.
 */

import { isRange, type LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";

import { RECENT_BYTES_MAX, RECENT_FRAMES_MAX } from "./recent-frames.ts";
import type { StreamHub } from "./stream-hub.ts";

/** Reads what a hub misses up to a position, and adds it; may give up. */
export type FillGap = (upTo: number) => Promise<void>;

const NOTHING = new Uint8Array();

export class HubFeed {
  readonly #hub: StreamHub;
  readonly #fillGap: FillGap;
  /** The first one is what is being read for. */
  #waiting: LiveFrame[] = [];

  constructor(hub: StreamHub, fillGap: FillGap) {
    this.#hub = hub;
    this.#fillGap = fillGap;
  }

  take(frame: LiveFrame): void {
    if (this.#waiting.length === 0 && !isRange(frame) && this.#hub.add(frame)) return;
    this.#waiting.push(frame);
    if (this.#waiting.length === 1) void this.#drain();
    else this.#bound();
  }

  /** More frames than a hub keeps become one range. */
  #bound(): void {
    const bytes = this.#waiting.reduce((sum, frame) => sum + frame.bytes.length, 0);
    if (this.#waiting.length <= RECENT_FRAMES_MAX && bytes <= RECENT_BYTES_MAX) return;
    const [first, second] = this.#waiting;
    const last = this.#waiting.at(-1);
    if (first === undefined || second === undefined || last === undefined) return;
    this.#waiting = [first, { from: second.from, to: last.to, closed: last.closed, bytes: NOTHING }];
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const upTo = isRange(next) ? next.to : next.from;
      if (this.#hub.tail < upTo && this.#hub.end === undefined) {
        await this.#fillGap(upTo).catch(() => undefined);
        // What could not be read for all, each reader reads for itself.
        this.#hub.jump(upTo);
      }
      this.#hub.add(isRange(next) ? { ...next, from: next.to } : next);
      this.#waiting.shift();
    }
  }
}
