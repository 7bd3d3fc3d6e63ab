/**
 * The stream's side of the project's storage quota. The project grants bytes in portions, and never more than its quota, so
 * that the stream asks once for many appends and all streams together stay within the quota.
 */

import { refuse } from "@durable-streams-cloudflare/protocol";

import type { AppendCommand } from "../../contracts/stream.ts";
import { withTimeout } from "../../kit/with-timeout.ts";
import type { StreamHost } from "../host.ts";
import { noticeOf } from "../notify/directory-notices.ts";
import { setQuotaGrant, storedBytes, type StreamState } from "../state.ts";

/** The project's answer stays true for so long when it gave nothing more. */
const REFUSED_MS = 1_000;
/** A project that has not answered is asked again after this. */
const SILENT_MS = 5_000;
const ANSWER_MS_MAX = 2_000;

export class QuotaGrant {
  readonly #host: StreamHost;
  readonly #onEndedMeanwhile: (incarnation: number) => void;
  /** A stream that need not ask before an instant. */
  #rest: { readonly state: StreamState; readonly untilMs: number } | undefined;
  /** The project does not answer: then it limits nobody. */
  #isSilent = false;

  /** @param onEndedMeanwhile called for a stream that ended while it was asking: its request may have arrived last. */
  constructor(host: StreamHost, onEndedMeanwhile: (incarnation: number) => void) {
    this.#host = host;
    this.#onEndedMeanwhile = onEndedMeanwhile;
  }

  /**
   * Asks the project for more where a batch needs it.
   * @returns no promise where it does not, which is the usual case. It never rejects.
   */
  prepare(batch: readonly AppendCommand[], current: () => StreamState | undefined): Promise<void> | undefined {
    const state = current();
    if (state === undefined || this.#host.directory === undefined || this.#isResting(state)) return undefined;
    if (state.quotaGrant === null && !batch.some(({ isLimited }) => isLimited === true)) return undefined;
    const bytes = batch.reduce((sum, command) => sum + command.bytes.length, 0);
    const wanted = storedBytes(state) + bytes;
    if (bytes === 0 || wanted <= (state.quotaGrant ?? -1)) return undefined;
    return this.#ask(state, wanted, current);
  }

  /** How many bytes may be added now. */
  remainingOf(state: StreamState): number {
    if (state.quotaGrant === null || this.#isSilent) return Infinity;
    return Math.max(0, state.quotaGrant - storedBytes(state));
  }

  async #ask(state: StreamState, wanted: number, current: () => StreamState | undefined): Promise<void> {
    const { directory } = this.#host;
    if (directory === undefined) return;
    const { incarnation } = state.lineage;
    try {
      const report = { ...noticeOf(this.#host, incarnation, state.contentType), stored: storedBytes(state), wanted };
      const quotaGrant = await withTimeout(ANSWER_MS_MAX, directory.note(report));
      this.#isSilent = false;
      if (quotaGrant === null || quotaGrant < wanted) this.#restFor(REFUSED_MS, state);
      if (current() === state) setQuotaGrant(state, this.#host.database, quotaGrant);
      else if (current() === undefined) this.#onEndedMeanwhile(incarnation);
    } catch {
      this.#isSilent = true;
      this.#restFor(SILENT_MS, state);
    }
  }

  #restFor(ms: number, state: StreamState): void {
    this.#rest = { state, untilMs: this.#host.now() + ms };
  }

  #isResting(state: StreamState): boolean {
    return this.#rest?.state === state && this.#host.now() < this.#rest.untilMs;
  }
}

export const PROJECT_STORAGE_FULL = refuse(
  "project-storage-full",
  "The project has reached its limit for stored bytes.",
  {
    hint: "Delete streams, or ask the administrator to raise the project's limit storedBytes.",
    headers: { "Retry-After": "60" },
  },
);
