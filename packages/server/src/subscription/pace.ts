/** Deliveries that may begin without a pause: at first, and at the most. */
const BURST_MIN = 1;
export const BURST_MAX = 16;
/** A pause that ends so much late shows that this machine had its hands full with what had begun. */
const LATE_MS = 4;

interface PacePorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves a moment later, when others have had their turn. */
  pause(): Promise<void>;
}

/**
 * Lets deliveries begin a few at a time. On one machine all objects share a thread, and its event loop looks at sockets only
 * when nothing else is left to do: without pauses a publisher's next append would not even be read before the round is
 * over. How many begin depends on how late the pauses end: one where sessions must first be read from disk, many where they
 * are elsewhere.
 */
export class Pace {
  readonly #ports: PacePorts;
  #burst = BURST_MIN;
  #left = BURST_MIN;
  #pausing: Promise<void> | undefined;

  constructor(ports: PacePorts) {
    this.#ports = ports;
  }

  /** Resolves when one more may begin. */
  async pass(): Promise<void> {
    while (this.#left === 0) await (this.#pausing ??= this.#refill());
    this.#left -= 1;
  }

  async #refill(): Promise<void> {
    const startMs = this.#ports.now();
    await this.#ports.pause();
    const isLate = this.#ports.now() - startMs > LATE_MS;
    this.#burst = isLate ? Math.max(BURST_MIN, Math.floor(this.#burst / 2)) : Math.min(BURST_MAX, this.#burst + 1);
    this.#left = this.#burst;
    this.#pausing = undefined;
  }
}
