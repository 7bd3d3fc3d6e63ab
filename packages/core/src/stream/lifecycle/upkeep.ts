/**
 * The purposes of a stream's alarm: `end` (expiry), `release pins`, `roll` (move bytes to cold segments, and trim), `notify the
 * directory`, `delete segments` and `clean up`. Each is idempotent and independent of the others. The alarm has two more
 * purposes, which notify followers and subscriptions: `notify/followers.ts` and `notify/wake-subscriptions.ts`.
 */

import type { AlarmOutcome, Alarms } from "../../kit/alarms.ts";
import type { StreamHost } from "../host.ts";
import { recordNotice, noticeDueAtMs, sendNotices } from "../notify/directory-notices.ts";
import { NOTIFY_MS_MAX } from "../notify/outbox.ts";
import { stateDeadlineMs, type StreamState } from "../state.ts";
import { hasForks } from "../tables/fork-rows.ts";
import { readPendingDeletions } from "../tables/pending-deletion-rows.ts";
import { deletePendingObjects } from "../tiering/object-deletions.ts";
import type { Roller } from "../tiering/roller.ts";
import { trim, trimDueAtMs } from "../tiering/trimmer.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** What broke off is repeated after this long. */
const RETRY_MS = 30_000;
/** What falls due meanwhile is done together. */
const DELAY_MS = 1_000;

export class Upkeep {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #roller: Roller;

  constructor(host: StreamHost, lifecycle: Lifecycle, roller: Roller, alarms: Alarms) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#roller = roller;
    const { releases } = lifecycle;
    const common = { retryMs: RETRY_MS, delayMs: DELAY_MS };
    alarms.add({ ...common, name: "end", dueAtMs: () => this.#endDueAtMs(), run: () => this.#end() });
    const dueAtMs = (): number | undefined => releases.dueAtMs();
    alarms.add({ ...common, name: "release pins", dueAtMs, run: () => releases.releaseDue() });
    alarms.add({ ...common, name: "roll", dueAtMs: () => this.#tieringDueAtMs(), run: () => this.#rollAndTrim() });
    alarms.add({
      ...common,
      name: "notify the directory",
      // Should this object die meanwhile, nobody who is to be notified waits for long.
      retryMs: NOTIFY_MS_MAX,
      dueAtMs: () => noticeDueAtMs(host),
      run: async (): Promise<AlarmOutcome> => {
        await sendNotices(host, () => lifecycle.living());
        // What was told is struck out, and what failed is put off: whatever is due now came meanwhile.
        return "more";
      },
    });
    alarms.add({
      ...common,
      name: "delete segments",
      dueAtMs: () => this.#deletionDueAtMs(),
      run: () => deletePendingObjects(host),
    });
    alarms.add({
      ...common,
      name: "clean up",
      everyFiring: true,
      run: () => lifecycle.cleanUp(),
    });
  }

  /** When the stream's time is over, in ms, or its last fork has gone. */
  #endDueAtMs(): number | undefined {
    const state = this.#lifecycle.stored();
    if (state === undefined) return undefined;
    if (!state.deleted) return stateDeadlineMs(state);
    return hasForks(this.#host.database) ? undefined : 0;
  }

  #end(): Promise<AlarmOutcome> | undefined {
    const state = this.#lifecycle.stored();
    if (state === undefined) return undefined;
    if (state.deleted) return this.#lifecycle.afterRelease();
    if (state.lifetime.kind === "ttl" && this.#host.readers.count() > 0) this.#lifecycle.touch(state);
    return this.#lifecycle.isOver(state) ? this.#lifecycle.end(state) : undefined;
  }

  #tieringDueAtMs(): number | undefined {
    const state = this.#lifecycle.stored();
    if (state === undefined) return undefined;
    const dueAtMs = Math.min(this.#roller.dueAtMs(state) ?? Infinity, trimDueAtMs(state, this.#host) ?? Infinity);
    return dueAtMs === Infinity ? undefined : dueAtMs;
  }

  /** What moved on is a good moment for the directory to hear how much is stored. */
  async #rollAndTrim(): Promise<void> {
    const state = this.#lifecycle.living();
    const [first, earliest] = [state?.log.first, state?.earliest];
    await this.#roll(this.#lifecycle.stored());
    const current = this.#lifecycle.stored();
    if (current !== undefined) trim(current, this.#host);
    if (state === undefined || state !== this.#lifecycle.living()) return;
    if (state.log.first === first && state.earliest === earliest) return;
    this.#host.database.transaction(() => recordNotice(this.#host, state.lineage.incarnation, state.contentType));
  }

  /** What fails here is no reason not to do the rest. */
  async #roll(state: StreamState | undefined): Promise<void> {
    const isCurrent = (): boolean => this.#lifecycle.stored() === state;
    try {
      if (state !== undefined) await this.#roller.roll(state, isCurrent);
    } catch (error) {
      // A stream that ended meanwhile has taken the tables that were being read with it: nothing is wrong then.
      if (isCurrent()) this.#host.report("A segment could not be written; its bytes stay in the stream.", error);
    }
  }

  /** Without a store nothing can be deleted: the alarm does not fire for it. */
  #deletionDueAtMs(): number | undefined {
    return this.#host.segments === undefined ? undefined : readPendingDeletions(this.#host.database, 1)[0]?.dueAtMs;
  }
}
