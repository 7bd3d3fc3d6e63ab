/**
 * A stream that subscriptions of the protocol want to be woken by. It knows their names only, and tells each of them how
 * far it has got. With the first append that they have not heard of, an alarm is set, in the same write: whatever dies
 * after that, they are told. A stream that nobody wants does nothing here.
 */

import { offsetAt, refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type { ConsumerNewsApi, StreamNews, WantCommand, WantedApi, WantFacts } from "../rpc/consumers.ts";
import { segmentsFrom } from "../storage/segment-rows.ts";
import { updateConsumers } from "../storage/stream-row.ts";
import { within } from "../storage/within.ts";
import type { StreamHost } from "./host.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { StreamState } from "./state.ts";

/** Subscriptions that want the same stream: each is told with a call of its own. */
const CONSUMERS_MAX = 64;
/** Who may not have been told is told again after this long. */
const RETRY_MS = 5_000;
/** Who has not answered by then is told again later. */
const NOTIFY_MS_MAX = 15_000;
/** Segments that are looked at for what came before an instant. */
const SEGMENTS_MAX = 1_000;

/** The objects of subscriptions. */
interface ConsumerObjects {
  getByName(consumer: string): Pick<ConsumerNewsApi, "notify">;
}

/** How a stream tells its subscriptions. Where there are none, nobody wants to be told. */
export function notifierOf(consumers: ConsumerObjects | undefined): StreamHost["notifyConsumer"] {
  if (consumers === undefined) return async () => false;
  return (consumer, news) => within(NOTIFY_MS_MAX, consumers.getByName(consumer).notify(news));
}

export class Consumers implements WantedApi {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  #isTelling = false;
  #hasNews = false;
  /** An alarm is set for what may not have been told. */
  #isPromised = false;
  /** Those who asked since the calls under way were made: that they did not want it then says nothing now. */
  readonly #asked = new Set<string>();

  constructor(host: StreamHost, lifecycle: Lifecycle) {
    this.#host = host;
    this.#lifecycle = lifecycle;
  }

  async want({ consumer, sinceMs }: WantCommand): Promise<Result<WantFacts>> {
    const state = this.#lifecycle.require();
    if ("ok" in state) return state;
    this.#asked.add(consumer);
    if (!state.consumers.includes(consumer)) {
      if (state.consumers.length >= CONSUMERS_MAX) {
        return refuse("subscriptions-full", `At most ${CONSUMERS_MAX} subscriptions are woken by one stream.`);
      }
      this.#setConsumers(state, [...state.consumers, consumer]);
    }
    const { lineage, tail } = state;
    const from = Math.max(state.earliest, positionAt(state, this.#host, sinceMs));
    await this.#host.sync();
    return { ok: true, incarnation: lineage.incarnation, from: offsetAt(lineage, from), tail: offsetAt(lineage, tail) };
  }

  /** A commit is being written; in its turn. */
  committed(state: StreamState): void {
    if (state.consumers.length === 0) return;
    this.#hasNews = true;
    this.#promise();
  }

  /** Something durable may have happened of which somebody has not heard. Nobody waits for this. */
  tell(state: StreamState): void {
    if (state.consumers.length === 0) return;
    this.#hasNews = true;
    // After a restart an alarm may be set for this: whatever sets it anew must not forget it.
    this.#lifecycle.newsDueAtMs ??= this.#host.now() + RETRY_MS;
    if (!this.#isTelling) void this.#run();
  }

  /** The alarm rings, and is set again when this is done: what has not been told is told again. */
  ring(): void {
    this.#lifecycle.stored();
    this.#isPromised = this.#hasNews || this.#isTelling;
    this.#lifecycle.newsDueAtMs = this.#isPromised ? this.#host.now() + RETRY_MS : undefined;
    if (this.#isPromised && !this.#isTelling) void this.#run();
  }

  /** Sees to it that the alarm is set. */
  #promise(): void {
    if (this.#isPromised) return;
    this.#isPromised = true;
    this.#lifecycle.newsDueAtMs = this.#host.now() + RETRY_MS;
    this.#lifecycle.arm();
  }

  async #run(): Promise<void> {
    this.#isTelling = true;
    while (this.#hasNews) {
      this.#hasNews = false;
      this.#asked.clear();
      if (!(await this.#tellAll())) {
        this.#hasNews = true;
        this.#promise();
        break;
      }
    }
    this.#isTelling = false;
  }

  /** @returns whether everybody has heard. */
  async #tellAll(): Promise<boolean> {
    const state = this.#lifecycle.stored();
    if (state === undefined || state.deleted) return true;
    const news = newsOf(state, this.#host);
    const told = state.consumers;
    const answers = await Promise.all(
      told.map((consumer) => this.#host.notifyConsumer(consumer, news).catch(() => undefined)),
    );
    if (this.#lifecycle.stored() !== state) return true;
    const over = new Set(told.filter((consumer, index) => answers[index] === false && !this.#asked.has(consumer)));
    if (over.size > 0) {
      this.#setConsumers(
        state,
        state.consumers.filter((consumer) => !over.has(consumer)),
      );
    }
    return !answers.includes(undefined);
  }

  #setConsumers(state: StreamState, consumers: readonly string[]): void {
    updateConsumers(this.#host.database, consumers);
    state.consumers = consumers;
  }
}

function newsOf({ lineage, tail }: StreamState, { name }: StreamHost): StreamNews {
  const stream = name.slice(name.indexOf("/") + 1);
  return { stream, incarnation: lineage.incarnation, tail: offsetAt(lineage, tail) };
}

/** How far the stream had got at an instant. Where that is cold, a little less: rather too much news than too little. */
function positionAt({ log, base }: StreamState, { database }: StreamHost, atMs: number): number {
  const hot = log.endAt(atMs);
  if (hot !== undefined) return hot;
  const cold = segmentsFrom(database, 0, SEGMENTS_MAX).findLast(({ committedAtMs }) => committedAtMs <= atMs);
  return Math.max(base, cold?.last ?? 0);
}
