/**
 * Runs several tasks on one alarm. A host gives an object a single alarm; here each purpose has a due time of its own, and the
 * alarm is set for the earliest of them.
 *
 * - A due time follows from stored data (`dueAtMs`), so that a restart restores it, or it is requested (`request`). A
 *   restart forgets requests, but not the host's alarm: the first firing after a restart runs every purpose that can be
 *   requested.
 * - Setting an alarm writes a row, so it is set only when its time has to change.
 * - A purpose that fails, or whose object crashes, is retried with growing delays while the others go on. The alarm is set
 *   again before anything is awaited, so a crash between any two steps loses nothing.
 */

/** How long a purpose that is still due after a run rests, unless it has more to do: the alarm never spins. */
export const ALARM_FLOOR_MS = 1_000;
/** An alarm that should have fired so long ago was lost: it is set again. */
const OVERDUE_MS_MAX = 2_000;

interface AlarmPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Replaces an earlier alarm. */
  setAlarm(atMs: number): void;
  clearAlarm(): void;
  /** Reports a failure that no caller learns of. */
  report(message: string, error: unknown): void;
}

/**
 * `more`: there is more to do, at once. `failed`: an expected failure; it is repeated as if it had thrown, but not reported.
 * Nothing: it is due again when `dueAtMs` says so, or when it is asked for.
 */
export type AlarmOutcome = "more" | "failed" | void;

export interface AlarmPurpose {
  /** What the report of a failure calls it. */
  readonly name: string;
  /** When it is due by what is stored, in ms. It is called whenever the alarm is set, so it has to be cheap. */
  dueAtMs?(): number | undefined;
  /**
   * The purpose is asked for with `request` or `schedule`, too. What an earlier instance of the object was asked for is not
   * known any more: it counts as due so long after this instance began, and at the first firing.
   */
  readonly restoreMs?: number;
  /** Runs whenever the alarm fires, due or not. */
  readonly everyFiring?: boolean;
  /** It may wait for so long when it is due: whatever falls due meanwhile is done by the same firing. */
  readonly delayMs?: number;
  /** How long it rests when it has run, has not said that there is more, and is still due. */
  readonly restMs?: number;
  /** When it is repeated after a failure, and after a crash while it ran; from failure to failure after twice as long. */
  readonly retryMs: number;
  readonly retryMsMax?: number;
  /** Does what is due. Idempotent. One that returns no promise costs no second write of the alarm. */
  run(): Promise<AlarmOutcome> | AlarmOutcome;
}

/** Requests runs of one purpose. */
export interface AlarmHandle {
  /** Due at this time, or earlier if it is so already. */
  request(atMs: number): void;
  /** Due at this time and not before: replaces whatever this purpose was asked for, also by an earlier instance. */
  schedule(atMs: number): void;
  readonly isRunning: boolean;
}

class Slot {
  readonly purpose: AlarmPurpose;
  requestedAtMs = Infinity;
  /** It has failed, or has just run and was still due. */
  restsUntilMs = 0;
  failures = 0;
  /** What `dueAtMs` has said in this turn: to ask costs rows. */
  storedAtMs: number | undefined;
  /** This firing runs it; should the object die before that is done, it is due at this time. */
  guardAtMs: number | undefined;
  isRunning = false;
  /** It has run, and nobody has looked since whether it is still due. */
  #ranAtMs: number | undefined;
  /** Nothing is known yet of what an earlier instance of the object was asked for. */
  isUnknown: boolean;

  constructor(purpose: AlarmPurpose) {
    this.purpose = purpose;
    this.isUnknown = purpose.restoreMs !== undefined;
  }

  /** Asks once for the whole turn. */
  look(): void {
    this.storedAtMs = this.purpose.dueAtMs?.() ?? Infinity;
  }

  /** `Infinity`: it is not. */
  dueAtMs(beganAtMs: number): number {
    if (this.guardAtMs !== undefined) return this.guardAtMs;
    const { restoreMs = 0 } = this.purpose;
    const restoredAtMs = this.isUnknown ? beganAtMs + restoreMs : Infinity;
    return Math.min(this.requestedAtMs, restoredAtMs, this.#storedAtMs());
  }

  isDue(nowMs: number): boolean {
    return this.purpose.everyFiring === true || this.isUnknown || this.dueAtMs(Infinity) <= nowMs;
  }

  /** A firing is going to run it. */
  take(guardAtMs: number): void {
    this.guardAtMs = guardAtMs;
    this.requestedAtMs = Infinity;
    this.isUnknown = false;
  }

  /** Nothing that it was asked for is there any more. */
  forget(): void {
    this.requestedAtMs = Infinity;
    this.restsUntilMs = 0;
    this.isUnknown = false;
  }

  done(outcome: AlarmOutcome, nowMs: number): void {
    this.guardAtMs = undefined;
    if (outcome === "failed") return this.#failed(nowMs);
    this.failures = 0;
    this.restsUntilMs = 0;
    if (outcome !== "more") this.#ranAtMs = nowMs;
    else if (this.purpose.restoreMs !== undefined) this.requestedAtMs = nowMs;
  }

  #failed(nowMs: number): void {
    const { restoreMs, retryMs, retryMsMax = retryMs } = this.purpose;
    this.restsUntilMs = nowMs + Math.min(retryMs * 2 ** this.failures, retryMsMax);
    this.failures += 1;
    // What is stored may be due much later than what was asked for, and has failed.
    const mayBeAsked = restoreMs !== undefined || this.#storedAtMs() === Infinity;
    if (mayBeAsked) this.requestedAtMs = Math.min(this.requestedAtMs, this.restsUntilMs);
  }

  #storedAtMs(): number {
    const atMs = this.storedAtMs ?? this.purpose.dueAtMs?.() ?? Infinity;
    const { restMs = ALARM_FLOOR_MS } = this.purpose;
    if (this.#ranAtMs !== undefined && atMs <= this.#ranAtMs) this.restsUntilMs = this.#ranAtMs + restMs;
    this.#ranAtMs = undefined;
    return Math.max(atMs, this.restsUntilMs);
  }
}

export class Alarms {
  readonly #ports: AlarmPorts;
  readonly #slots: Slot[] = [];
  readonly #beganAtMs: number;
  /** When the host's alarm fires; `null`: it is not set; `undefined`: that is not known since a restart. */
  #setAtMs: number | null | undefined;
  #soonAtMs = Infinity;
  /** The slots that this firing has got to. */
  #reached: number | undefined;
  /** This firing has run something that may have made other purposes due. */
  #hasWorked = false;
  /** An alarm that is set from here on would outlive what is being deleted. */
  #isPurging = false;

  constructor(ports: AlarmPorts) {
    this.#ports = ports;
    this.#beganAtMs = ports.now();
  }

  /** Purposes run in the order in which they were added. */
  add(purpose: AlarmPurpose): AlarmHandle {
    const slot = new Slot(purpose);
    this.#slots.push(slot);
    const arm = (): void => this.arm();
    return {
      request: (atMs) => {
        slot.requestedAtMs = Math.min(slot.requestedAtMs, atMs);
        arm();
      },
      schedule: (atMs) => {
        slot.requestedAtMs = atMs;
        slot.isUnknown = false;
        arm();
      },
      get isRunning() {
        return slot.isRunning;
      },
    };
  }

  /** Fires as soon as it can, for whatever is due then: without its delay, and in a context of its own. */
  soon(): void {
    const now = this.#ports.now();
    this.#soonAtMs = now;
    const known = this.#setAtMs ?? Infinity;
    if (known > now || this.#isLost(now)) this.#set(now);
  }

  /**
   * Sets the alarm for what is due first. To be called, in the turn of the write, when a due time may have come nearer. It
   * belongs behind a transaction: what rolls back would take the alarm with it.
   */
  arm(): void {
    if (this.#reached !== undefined) this.#lookAnew();
    this.#arm();
  }

  /** The alarm fires: runs what is due, and sets it for what comes next. */
  async fire(): Promise<void> {
    this.#setAtMs = null;
    if (this.#reached !== undefined) return this.#guardAgain();
    this.#soonAtMs = Infinity;
    this.#reached = 0;
    this.#hasWorked = false;
    const now = this.#ports.now();
    try {
      for (const slot of this.#slots) {
        slot.look();
        if (slot.isDue(now)) slot.take(now + slot.purpose.retryMs);
      }
      for (const slot of this.#slots) {
        const running = this.#begin(slot);
        if (running !== undefined) await running;
        this.#reached += 1;
      }
    } finally {
      this.#reached = undefined;
      this.#soonAtMs = Infinity;
      this.#lookAnew();
      this.arm();
    }
  }

  /**
   * Deletes everything that is stored, the host's alarm included, and forgets what was asked for. What falls due from the
   * call on gets an alarm again.
   */
  async purge(deleteAll: () => Promise<void>): Promise<void> {
    const isFiring = this.#reached !== undefined;
    // In the same turn: either both become durable, or none.
    if (isFiring) this.arm();
    this.#isPurging = true;
    try {
      const deleted = deleteAll();
      this.#setAtMs = null;
      for (const slot of this.#slots) slot.forget();
      await deleted;
    } finally {
      this.#isPurging = false;
    }
    if (!isFiring) this.arm();
  }

  #arm(): void {
    const now = this.#ports.now();
    const wanted = this.#window(now);
    const known = this.#setAtMs ?? undefined;
    if (wanted === undefined) {
      if (known !== undefined && this.#reached === undefined) this.#clear();
      return;
    }
    const { from, to } = wanted;
    // While it fires the alarm only guards what is under way: at the end it is set anew.
    const isEarlyEnough = known !== undefined && known <= to && (this.#reached !== undefined || known >= from);
    if (!isEarlyEnough || this.#isLost(now)) this.#set(to);
  }

  #isLost(now: number): boolean {
    return (this.#setAtMs ?? Infinity) < now - OVERDUE_MS_MAX;
  }

  /** An earlier purpose of this firing may have made this one due. */
  #begin(slot: Slot): Promise<void> | undefined {
    if (slot.guardAtMs === undefined) {
      const now = this.#ports.now();
      if (!this.#hasWorked || !slot.isDue(now)) return undefined;
      // The guard that stands is good enough.
      slot.take(Math.max(now + slot.purpose.retryMs, this.#setAtMs ?? 0));
    }
    slot.isRunning = true;
    const { everyFiring = false } = slot.purpose;
    this.#hasWorked ||= !everyFiring;
    try {
      const outcome = slot.purpose.run();
      if (!(outcome instanceof Promise)) {
        if (!everyFiring) this.#lookAnew();
        return this.#finish(slot, outcome);
      }
      // First of all: an object that was reset cannot set its alarm, and nobody would hear of what its work fails with.
      const finished = outcome.then(
        (result) => this.#finish(slot, result),
        (error: unknown) => this.#fail(slot, error),
      );
      if (!this.#isPurging) this.#arm();
      this.#lookAnew();
      return finished;
    } catch (error) {
      return this.#fail(slot, error);
    }
  }

  #finish(slot: Slot, outcome: AlarmOutcome): undefined {
    slot.isRunning = false;
    slot.done(outcome, this.#ports.now());
  }

  #fail(slot: Slot, error: unknown): undefined {
    this.#ports.report(`The alarm could not do its work "${slot.purpose.name}"; it is repeated.`, error);
    return this.#finish(slot, "failed");
  }

  #lookAnew(): void {
    for (const slot of this.#slots) slot.storedAtMs = undefined;
  }

  /** The firing under way takes longer than its guard. */
  #guardAgain(): void {
    const now = this.#ports.now();
    for (const slot of this.#slots) if (slot.guardAtMs !== undefined) slot.guardAtMs = now + slot.purpose.retryMs;
    this.arm();
  }

  /** The times at which the alarm may be set; `undefined`: nothing is due. */
  #window(now: number): { readonly from: number; readonly to: number } | undefined {
    let from = this.#soonAtMs;
    let to = Math.max(this.#soonAtMs, now);
    for (const [index, slot] of this.#slots.entries()) {
      const { delayMs = 0, retryMs } = slot.purpose;
      const dueAtMs = slot.dueAtMs(this.#beganAtMs);
      const isToCome = this.#reached !== undefined && index > this.#reached;
      // The firing under way gets to it by itself.
      const restMs = isToCome && slot.guardAtMs === undefined ? retryMs : delayMs;
      // What is overdue is not put off by being overdue longer.
      from = Math.min(from, dueAtMs <= now ? 0 : dueAtMs);
      to = Math.min(to, Math.max(dueAtMs, now + restMs));
    }
    return to === Infinity ? undefined : { from, to };
  }

  #set(atMs: number): void {
    this.#ports.setAlarm(atMs);
    this.#setAtMs = atMs;
  }

  #clear(): void {
    this.#ports.clearAlarm();
    this.#setAtMs = null;
  }
}
