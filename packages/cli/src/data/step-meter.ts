import type { Io } from "../io.ts";
import { CLEAR_LINE } from "../setup/progress.ts";

/** How often the line on the terminal is updated. */
const TICK_MS = 200;

/** Shows on one line of a terminal how many steps of a known number are done. Prints nothing elsewhere. */
export class StepMeter {
  readonly #stderr: Io["stderr"];
  readonly #isShown: boolean;
  readonly #verb: string;
  #shownMs = 0;

  /** @param verb such as `Copied`. */
  constructor({ stderr }: Pick<Io, "stderr">, verb: string, { isQuiet }: { readonly isQuiet: boolean }) {
    this.#stderr = stderr;
    this.#verb = verb;
    this.#isShown = !isQuiet && stderr.isTTY === true;
  }

  show(done: number, of: number): void {
    const nowMs = performance.now();
    if (!this.#isShown || nowMs - this.#shownMs < TICK_MS) return;
    this.#shownMs = nowMs;
    const percent = Math.floor((100 * done) / Math.max(of, 1));
    this.#stderr.write(`${CLEAR_LINE}${this.#verb} ${percent} % (${done} of ${of})`);
  }

  /** Removes the line. */
  end(): void {
    if (this.#isShown && this.#shownMs > 0) this.#stderr.write(CLEAR_LINE);
  }
}
