/** The alarms of all objects: rows in the database, and one timer for the earliest. */

import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";

import type { SharedDatabase } from "./shared-database.ts";

/** An object whose alarm is due. */
export interface DueObject {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
}

/** What the alarms of a server need. */
export interface AlarmEvents {
  /** Fires one alarm. Rejects if the object failed, so that the alarm fires again. */
  readonly fire: (due: DueObject) => Promise<void>;
  /** Deletes the row of an alarm that has been dealt with. */
  readonly strike: (id: number) => void;
  /** The alarms cannot be read: they are looked for again a while later. */
  readonly onUnreadable: (error: unknown) => void;
}

/** Alarms that are fired at the same time; as each ends, another one begins. */
const FIRING_MAX = 100;
/** The clock is looked at this often: it may jump, and the timer does not. */
const TIMER_MS_MAX = 30_000;
/** An alarm whose object failed is fired again after this, twice as long each time, up to the second. */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
/** After this the alarms are looked for again when they could not be read. */
const UNREADABLE_MS = 10_000;

/** All alarms of a server. An alarm stays in the table until the object's work has succeeded. */
export class Alarms {
  readonly #database: SharedDatabase;
  readonly #events: AlarmEvents;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #isRunning = false;
  /** Objects whose alarm is being fired, or waits to be fired again, and whether the object has set another meanwhile. */
  readonly #busy = new Map<number, { isSetAgain: boolean }>();
  readonly #failures = new Map<number, number>();
  #firing = 0;
  #isOver = false;

  constructor(database: SharedDatabase, events: AlarmEvents) {
    this.#database = database;
    this.#events = events;
  }

  /** Starts firing alarms, including those that came due while the server was down. */
  start(): void {
    this.#isRunning = true;
    this.#arm(0);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /**
   * Called after an object's alarm was set.
   * @param atMs when it is due, in ms since the epoch.
   */
  expect(id: number, atMs: number): void {
    const firing = this.#busy.get(id);
    if (firing !== undefined) firing.isSetAgain = true;
    if (this.#isRunning) this.#arm(atMs);
  }

  /** The number of alarms that are due at `nowMs` and have not finished. */
  countDue(nowMs: number): number {
    return Number(this.#database.text("SELECT COUNT(*) AS count FROM alarms WHERE at_ms <= ?").get(nowMs)?.["count"]);
  }

  /** Called after a transaction was lost: alarms whose deletion was in it are back in the table and must fire again. */
  lookAgain(): void {
    if (this.#isRunning) this.#arm(0);
  }

  #arm(atMs: number): void {
    if (this.#isOver || atMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    const ms = Math.min(Math.max(atMs - wallMs(), 0), TIMER_MS_MAX);
    this.#timer = setTimeout(() => this.#run(), ms);
  }

  /** Called by a timer, where an error would end the process. */
  #run(): void {
    this.#timerAtMs = Infinity;
    try {
      this.#look();
    } catch (error) {
      this.#events.onUnreadable(error);
      this.#arm(wallMs() + UNREADABLE_MS);
    }
  }

  #look(): void {
    if (this.#firing >= FIRING_MAX) return;
    const nowMs = wallMs();
    const text = "SELECT o, at_ms FROM alarms ORDER BY at_ms LIMIT ?";
    for (const row of this.#database.text(text).all(FIRING_MAX + this.#busy.size)) {
      const id = Number(row["o"]);
      const atMs = Number(row["at_ms"]);
      if (this.#busy.has(id)) continue;
      if (atMs > nowMs) return this.#arm(atMs);
      // Each that ends looks for the next.
      if (this.#firing >= FIRING_MAX) return;
      void this.#fireOne(id);
    }
    const next = this.#database.text("SELECT MIN(at_ms) AS next FROM alarms WHERE at_ms > ?").get(nowMs);
    if (next?.["next"] !== null && next !== undefined) this.#arm(Number(next["next"]));
  }

  /** The row stays until the object is done, so that a crash fires it again; the object may set another meanwhile. */
  async #fireOne(id: number): Promise<void> {
    const firing = { isSetAgain: false };
    this.#busy.set(id, firing);
    this.#firing += 1;
    let hasFailed = false;
    try {
      // Each by itself: where the row of one cannot be read, the others fire all the same.
      const due = this.#find(id);
      if (due !== undefined) await this.#events.fire(due);
      this.#failures.delete(id);
      if (!firing.isSetAgain) this.#events.strike(id);
    } catch {
      hasFailed = true;
    }
    this.#firing -= 1;
    if (hasFailed) {
      this.#lookSoon();
      await this.#backOff(id);
    }
    this.#busy.delete(id);
    this.#lookSoon();
  }

  #find(id: number): DueObject | undefined {
    const row = this.#database.text("SELECT kind, name FROM objects WHERE o = ?").get(id);
    return row === undefined ? undefined : { id, kind: String(row["kind"]), name: String(row["name"]) };
  }

  #lookSoon(): void {
    this.#arm(wallMs());
  }

  async #backOff(id: number): Promise<void> {
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.set(id, failures);
    const ms = Math.min(RETRY_MS_MIN * 2 ** (failures - 1), RETRY_MS_MAX);
    await new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());
  }
}
