import type { Io } from "./io.ts";
import { counted } from "./numbers.ts";
import { CLEAR_LINE } from "./setup/progress.ts";

/** How often the line on the terminal is updated. */
const TICK_MS = 200;
const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Shows on one line of a terminal how much has been transferred. Prints nothing elsewhere. */
export class TransferMeter {
  readonly #stderr: Io["stderr"];
  readonly #isShown: boolean;
  readonly #verb: string;
  #bytes = 0;
  #messages = 0;
  #shownMs = 0;

  /** @param verb such as `Read`. */
  constructor(io: Pick<Io, "stdout" | "stderr">, verb: string, { isQuiet }: { readonly isQuiet: boolean }) {
    this.#stderr = io.stderr;
    this.#verb = verb;
    // If stdout is a terminal, too, the data itself shows the progress.
    this.#isShown = !isQuiet && io.stderr.isTTY === true && !(verb === "Read" && io.stdout.isTTY === true);
  }

  add(bytes: number, messages = 0): void {
    this.#bytes += bytes;
    this.#messages += messages;
    const nowMs = performance.now();
    if (!this.#isShown || nowMs - this.#shownMs < TICK_MS) return;
    this.#shownMs = nowMs;
    this.#stderr.write(`${CLEAR_LINE}${this.#verb} ${this.describe()}`);
  }

  /** Removes the line. */
  end(): void {
    if (this.#isShown && this.#shownMs > 0) this.#stderr.write(CLEAR_LINE);
  }

  describe(): string {
    const messages = this.#messages === 0 ? "" : `${counted(this.#messages, "message")}, `;
    return `${messages}${formatBytes(this.#bytes)}`;
  }
}

export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const value = bytes / 1_000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}
