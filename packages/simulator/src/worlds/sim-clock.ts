/**
 * A clock that stands still until it is told to go on. Vitest's own waits a real millisecond for each timer, which is too
 * slow for hundreds of thousands.
 */
export class SimClock {
  nowMs: number;
  /** By the instant at which they fire, in whole ms. */
  readonly #timers = new Map<number, Map<number, () => void>>();
  readonly #instants = new Map<number, number>();
  #ids = 0;
  /** By how much `Date.now` differs. Timers do not mind. */
  jumpMs = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /**
   * Takes the place of the real one, or of another of these, until `uninstall`.
   * @param random stands for `Math.random` meanwhile.
   */
  install(random: () => number): void {
    replaced ??= { globals: REPLACED_GLOBALS.map((name) => [name, GLOBALS[name]]), now: Date.now, random: Math.random };
    Object.assign(globalThis, {
      setTimeout: (run: () => void, ms: number) => this.#set(run, ms),
      clearTimeout: (id: number | undefined) => this.#clear(id),
      scheduler: { wait: (ms: number) => this.wait(ms) },
    });
    Date.now = () => this.nowMs + this.jumpMs;
    Math.random = random;
  }

  /** Gives back what was there before any of these was installed. */
  static uninstall(): void {
    if (replaced === undefined) return;
    Object.assign(globalThis, Object.fromEntries(replaced.globals));
    Date.now = replaced.now;
    Math.random = replaced.random;
    replaced = undefined;
  }

  wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#set(resolve, ms);
    return promise;
  }

  /** Lets time pass, and whatever then happens happen. */
  async advance(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await settled();
    for (; this.nowMs < endMs; this.nowMs += 1) await this.#fire();
    await this.#fire();
  }

  async #fire(): Promise<void> {
    for (let due = this.#timers.get(this.nowMs); due !== undefined; due = this.#timers.get(this.nowMs)) {
      this.#timers.delete(this.nowMs);
      for (const [id, run] of due) {
        this.#instants.delete(id);
        run();
      }
      await settled();
    }
  }

  #set(run: () => void, ms: number): number {
    this.#ids += 1;
    const atMs = this.nowMs + Math.max(0, Math.ceil(ms));
    const due = this.#timers.get(atMs) ?? new Map<number, () => void>();
    this.#timers.set(atMs, due.set(this.#ids, run));
    this.#instants.set(this.#ids, atMs);
    return this.#ids;
  }

  #clear(id: number | undefined): void {
    if (id === undefined) return;
    this.#timers.get(this.#instants.get(id) ?? -1)?.delete(id);
    this.#instants.delete(id);
  }
}

const GLOBALS = globalThis as unknown as Readonly<Record<string, unknown>>;
const REPLACED_GLOBALS = ["setTimeout", "clearTimeout", "scheduler"];
let replaced:
  | { readonly globals: (readonly [string, unknown])[]; readonly now: () => number; readonly random: () => number }
  | undefined;
const realImmediate = setImmediate;

/** Lets everything run that waits for no timer. */
function settled(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}
