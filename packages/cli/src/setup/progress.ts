import type { Io } from "../io.ts";
import type { Output } from "../output.ts";

const TICK_MS = 1_000;
export const CLEAR_LINE = "\r\u001b[K";

/** Reports progress on stderr: on a terminal with a clock for long steps, otherwise with one line per finished step. */
export class Progress {
  readonly #io: Io;
  readonly #output: Output;
  readonly #hasClock: boolean;

  constructor(io: Io, output: Output, quiet: boolean) {
    this.#io = io;
    this.#output = output;
    this.#hasClock = !quiet && io.stderr.isTTY === true;
  }

  /** @param work resolves to whether the step was already done. */
  async during(title: string, isLong: boolean, work: () => Promise<boolean>): Promise<void> {
    const stopClock = isLong && this.#hasClock ? this.#startClock(title) : () => undefined;
    const wasDone = await work().finally(stopClock);
    this.#output.note(`✓ ${title}${wasDone ? " (already done)" : ""}`);
  }

  #startClock(title: string): () => void {
    const startMs = Date.now();
    const tick = (): void => {
      this.#io.stderr.write(`${CLEAR_LINE}… ${title} (${Math.round((Date.now() - startMs) / 1000)} s)`);
    };
    tick();
    const timer = setInterval(tick, TICK_MS);
    return () => {
      clearInterval(timer);
      this.#io.stderr.write(CLEAR_LINE);
    };
  }
}
