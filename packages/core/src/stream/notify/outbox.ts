/**
 * An outbox for one notification that must arrive, whoever crashes. It writes nothing but the alarm: the first commit that
 * needs a notification sets it in the same write, and it covers every later commit until it fires. After a failure the alarm
 * fires again, with growing delays.
 */

/** How long after a commit the alarm sends a notification that was not sent: soon enough after a crash. */
export const NOTIFY_MS_MAX = 2_000;
/** Failed tries follow each other up to this far apart. */
const RETRY_MS_MAX = 60_000;

interface OutboxPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Sets the object's alarm to whatever comes first, this outbox's `dueAtMs` among it. */
  arm(): void;
  /** Resolves when the requests that have come meanwhile were seen to; what is committed until then is notified together. */
  pause?(): Promise<unknown>;
  /** Notifies of all that there is now. @returns whether it has arrived. */
  send(): Promise<boolean>;
}

export class Outbox {
  readonly #ports: OutboxPorts;
  #isPending = false;
  #isSending = false;
  #isAlarmSet = false;
  #dueAtMs: number | undefined;
  /** Tries that have failed in a row. */
  #failures = 0;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
  }

  /** When the alarm must fire at the latest; whatever sets it anew must not forget this. */
  get dueAtMs(): number | undefined {
    return this.#dueAtMs;
  }

  /** Something is being written that others must hear of. Called in the turn of the write. */
  record(): void {
    this.#isPending = true;
    this.#promise();
  }

  /** Something durable may have happened that others have not heard of. Nobody waits for this. */
  flush(): void {
    this.#isPending = true;
    // After a restart an alarm may be stored for this.
    this.#dueAtMs ??= this.#ports.now() + this.#delayMs;
    if (!this.#isSending) void this.#run();
  }

  /** The alarm fires, and is set again when its work is done. */
  fire(): void {
    this.#isAlarmSet = this.#isPending || this.#isSending;
    this.#dueAtMs = this.#isAlarmSet ? this.#ports.now() + this.#delayMs : undefined;
    if (this.#isPending && !this.#isSending) void this.#run();
  }

  get #delayMs(): number {
    return Math.min(NOTIFY_MS_MAX * 2 ** this.#failures, RETRY_MS_MAX);
  }

  /** Sees to it that the alarm is set. @throws Error when the object cannot write; the next notification sets it then. */
  #promise(): void {
    if (this.#isAlarmSet) return;
    this.#dueAtMs = this.#ports.now() + this.#delayMs;
    this.#isAlarmSet = true;
    try {
      this.#ports.arm();
    } catch (error) {
      this.#isAlarmSet = false;
      throw error;
    }
  }

  async #run(): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#isPending) {
        await this.#ports.pause?.();
        this.#isPending = false;
        if (!(await this.#send())) break;
      }
    } finally {
      this.#isSending = false;
    }
  }

  async #send(): Promise<boolean> {
    if (await this.#ports.send().catch(() => false)) {
      this.#failures = 0;
      return true;
    }
    this.#isPending = true;
    this.#failures += 1;
    try {
      this.#promise();
    } catch {
      // Nobody waits for this. An object that was reset meanwhile has stored its alarm with the write that it tells of.
    }
    return false;
  }
}
