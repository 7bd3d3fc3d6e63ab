/** Deliveries that may begin between two pauses: at first, and at the most. */
const BURST_MIN = 1;
export const BURST_MAX = 16;
/** A pause that takes so long shows that this machine had its hands full with what had begun. */
const LATE_MS = 2;

/** How many deliveries may begin now, of all rounds that share a thread. Holds no promises: those belong to one object. */
export class Bursts {
  #size = BURST_MIN;
  #left = BURST_MIN;
  #refilledAtMs = 0;

  take(): boolean {
    if (this.#left <= 0) return false;
    this.#left -= 1;
    return true;
  }

  /**
   * Somebody has paused. The first of those who paused at the same time refills.
   * @param isSpare as little as possible is to begin.
   */
  refill(pausedFromMs: number, nowMs: number, isSpare = false): void {
    const isRefilled = pausedFromMs < this.#refilledAtMs && this.#refilledAtMs <= nowMs;
    if (isRefilled) return;
    const isLate = nowMs - pausedFromMs > LATE_MS;
    if (isSpare) this.#size = BURST_MIN;
    else this.#size = isLate ? Math.max(BURST_MIN, Math.floor(this.#size / 2)) : Math.min(BURST_MAX, this.#size + 1);
    this.#left = this.#size;
    this.#refilledAtMs = nowMs;
  }
}

const SHARED = new Bursts();

interface PacePorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves a moment later, when others have had their turn; whether as little as possible is to begin then. */
  pause(): Promise<boolean>;
}

/**
 * Lets deliveries begin a few at a time. On one machine all objects share a thread, and its event loop looks at sockets only
 * when nothing else is left to do: without pauses a publisher's next append would not even be read before the round is
 * over. How many begin depends on how late the pauses end: one where sessions must first be read from disk, many where they
 * are elsewhere.
 */
export class Pace {
  readonly #ports: PacePorts;
  readonly #bursts: Bursts;
  #pausing: Promise<void> | undefined;

  constructor(ports: PacePorts, bursts: Bursts = SHARED) {
    this.#ports = ports;
    this.#bursts = bursts;
  }

  /** Resolves when one more may begin. */
  async pass(): Promise<void> {
    while (!this.#bursts.take()) await (this.#pausing ??= this.#pause());
  }

  async #pause(): Promise<void> {
    const fromMs = this.#ports.now();
    const isSpare = await this.#ports.pause();
    this.#pausing = undefined;
    this.#bursts.refill(fromMs, this.#ports.now(), isSpare);
  }
}
