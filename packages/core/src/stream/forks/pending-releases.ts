/**
 * The outbox of releases: pins that the source of a fork may hold without need (see `tables/fork-rows.ts`). A pending release
 * is recorded before the pin is requested, and deleted by the transaction that creates the fork; if that never happens, the
 * alarm sends the release.
 */

import type { Alarms } from "../../kit/alarms.ts";
import type { StreamHost } from "../host.ts";
import {
  deletePendingRelease,
  insertPendingRelease,
  readPendingReleases,
  updatePendingRelease,
  type PendingRelease,
} from "../tables/fork-rows.ts";

/** Releases made in one go; the alarm comes back for more. */
const RELEASES_PER_ALARM = 16;
/** A release that fails is made again after this long. */
const RETRY_MS = 30_000;

export class PendingReleases {
  readonly #host: StreamHost;
  readonly #alarms: Alarms;
  /** Of forks that are being created right now. */
  readonly #inactive = new Set<string>();

  constructor(host: StreamHost, alarms: Alarms) {
    this.#host = host;
    this.#alarms = alarms;
  }

  /** When the first one falls due, in ms. */
  dueAtMs(): number | undefined {
    return readPendingReleases(this.#host.database, 1)[0]?.dueAtMs;
  }

  /** Notes that a pin may be about to exist. It falls due by itself should this object not live to create the fork. */
  async record(release: PendingRelease): Promise<void> {
    this.#inactive.add(release.id);
    this.#host.database.transaction(() => insertPendingRelease(this.#host.database, release));
    this.#alarms.arm();
    await this.#host.sync();
  }

  /** The fork's creation is over, one way or the other: its release, if there still is one, counts from now on. */
  activate(id: string): void {
    this.#inactive.delete(id);
  }

  /** The pin exists and is not wanted: its release falls due now. */
  fallDue(id: string): void {
    this.activate(id);
    updatePendingRelease(this.#host.database, id, this.#host.now());
    this.#alarms.arm();
  }

  /** There was no pin. */
  cancel(id: string): void {
    this.activate(id);
    deletePendingRelease(this.#host.database, id);
  }

  /** Makes those that are due. */
  async releaseDue(): Promise<void> {
    const now = this.#host.now();
    const due = readPendingReleases(this.#host.database, RELEASES_PER_ALARM).filter(({ dueAtMs }) => dueAtMs <= now);
    // What is inactive is looked at once, before the first wait: after it a fork may exist, and need its pin.
    const active = due.filter(({ id }) => !this.#inactive.has(id));
    await Promise.all(active.map((release) => this.#release(release)));
  }

  /** Releasing twice does no harm, so whatever fails is simply tried again later. */
  async #release({ id, source }: PendingRelease): Promise<void> {
    try {
      await this.#host.peer(source).release(id);
      deletePendingRelease(this.#host.database, id);
    } catch {
      updatePendingRelease(this.#host.database, id, this.#host.now() + RETRY_MS);
    }
  }
}
