/**
 * Places for live readers, where the project has a limit of them. The project hands them out for a while, never more than
 * there are, and a reader is let in only if it will have left before its place is over. So no reader waits on a stream without
 * a place, and places that a stream does not use any more come back by themselves.
 */

import type { ReaderSlotsApi, ReaderBudget } from "../../contracts/reader-slots.ts";
import { SingleFlight } from "../../kit/single-flight.ts";
import { withTimeout } from "../../kit/with-timeout.ts";
import type { StreamHost } from "../host.ts";

/** A stream to which readers come asks again so often: the sooner, the sooner places come back that it does not use. */
const RENEWAL_MS = 10_000;
/** The project's answer stays true for so long when it had too few. */
const REFUSED_MS = 1_000;
/** A project that has not answered is asked again after this; meanwhile it limits nobody. */
const SILENT_MS = 5_000;
const ANSWER_MS_MAX = 2_000;
/** A rush of readers may take the places that another one has asked for. */
const TRIES_MAX = 3;

/** The objects of projects. */
export interface ReaderSlotOwners {
  getByName(project: string): ReaderSlotsApi;
}

type RequestReaderSlots = NonNullable<StreamHost["requestReaderSlots"]>;

/**
 * How a stream asks its project; `undefined`: there is none. A stub that failed is of no more use, so each call gets a new
 * one.
 * @param name the stream's full name.
 */
export function readerSlotsOf(keepers: ReaderSlotOwners | undefined, name: string): RequestReaderSlots | undefined {
  const [project, stream] = [name.slice(0, name.indexOf("/")), name.slice(name.indexOf("/") + 1)];
  return keepers && ((request) => keepers.getByName(project).allowReaders({ stream, ...request }));
}

export class ReaderSlots {
  readonly #host: StreamHost;
  readonly #stayMs: number;
  readonly #budget: ReaderBudget;
  #readerSlots = 0;
  /** Until then a reader may be let in. */
  #untilMs = 0;
  #restUntilMs = 0;
  /** Readers that have come, and do not know yet whether they may stay. */
  #coming = 0;
  readonly #asking = new SingleFlight<void>(1);

  /** @param stayMs how long a reader waits at the most. @param budget which readers they are for. */
  constructor(host: StreamHost, stayMs: number, budget: ReaderBudget) {
    this.#host = host;
    this.#stayMs = stayMs;
    this.#budget = budget;
  }

  /** How many readers may wait now. */
  get max(): number {
    return this.#host.now() < this.#untilMs ? this.#readerSlots : 0;
  }

  /**
   * Lets one more reader in when there is a place for it, or it is known that there is none.
   * @param attach takes the place; nothing happens between that and the look whether there is one.
   */
  async letIn<Answer>(attach: () => Answer extends Promise<unknown> ? never : Answer): Promise<Answer> {
    this.#coming += 1;
    try {
      await this.#reserve();
      return attach();
    } finally {
      this.#coming -= 1;
    }
  }

  /** Has a place for each reader that is coming, if there are so many. Never rejects. */
  async #reserve(): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const hasSlot = this.#host.readers.hasSlot(this.#budget, this.max - this.#coming + 1);
      if (hasSlot || this.#host.now() < this.#restUntilMs) return;
      await this.#asking.run("", () => this.#ask(this.#host.requestReaderSlots));
    }
  }

  async #ask(ask: RequestReaderSlots | undefined): Promise<void> {
    const readers = this.#host.readers.count(this.#budget);
    // From before the question on: the project counts from when it hears it, which is later.
    const askedAtMs = this.#host.now();
    const budget = this.#budget === "public" ? { budget: this.#budget } : {};
    const request = { readers, wanted: readers + this.#coming, forMs: this.#stayMs + RENEWAL_MS, ...budget };
    try {
      const readerSlots = ask === undefined ? null : await withTimeout(ANSWER_MS_MAX, ask(request));
      this.#readerSlots = readerSlots ?? Infinity;
      this.#untilMs = askedAtMs + (readerSlots === null ? REFUSED_MS : RENEWAL_MS);
      if (this.#readerSlots < request.wanted) this.#restUntilMs = this.#host.now() + REFUSED_MS;
    } catch {
      this.#readerSlots = Infinity;
      this.#untilMs = this.#host.now() + SILENT_MS;
    }
  }
}
