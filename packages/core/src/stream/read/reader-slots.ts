/**
 * The stream's side of reader slots, where the project limits its live readers. The project leases slots to the stream, never
 * more than its limit, and a reader is admitted only if it will have left before the lease ends. So every waiting reader has a
 * slot, and slots that the stream no longer uses return to the project by themselves.
 */

import type { ReaderSlotsApi, ReaderBudget } from "../../contracts/reader-slots.ts";
import { SingleFlight } from "../../kit/single-flight.ts";
import { withTimeout } from "../../kit/with-timeout.ts";
import type { StreamHost } from "../host.ts";

/** How often a stream with new readers renews its lease. The shorter this is, the sooner unused slots return. */
const RENEWAL_MS = 10_000;
/** The project's answer stays true for so long when it had too few. */
const REFUSED_MS = 1_000;
/** A project that has not answered is asked again after this; meanwhile it limits nobody. */
const SILENT_MS = 5_000;
const ANSWER_MS_MAX = 2_000;
/** A rush of readers may take the slots that another reader has asked for. */
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
   * Calls `attach` once there is a slot for one more reader, or once it is known that there is none.
   * @param attach takes the slot, in the same turn in which it was looked for.
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

  /** Leases a slot for each arriving reader, as far as the project has them. Never rejects. */
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
