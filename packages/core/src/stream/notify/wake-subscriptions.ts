/**
 * Notifies the protocol's subscriptions that this stream may wake. The stream knows only their names, and tells each how far it
 * has been appended to, until they have answered (`outbox.ts`). For a stream without subscriptions this does nothing.
 */

import { offsetAt, refuse, type Result } from "@durable-streams-cloudflare/protocol";

import type {
  SubscriptionNotifyApi,
  StreamNotification,
  WantCommand,
  WantedApi,
  WantResult,
} from "../../contracts/wakes.ts";
import type { Alarms } from "../../kit/alarms.ts";
import { withTimeout } from "../../kit/with-timeout.ts";
import { segmentsFrom } from "../../log/segment-rows.ts";
import type { StreamHost } from "../host.ts";
import type { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { StreamState } from "../state.ts";
import { updateConsumers } from "../tables/stream-row.ts";
import { NOTIFY_MS_MAX as RETRY_MS, Outbox } from "./outbox.ts";

/** Subscriptions that want the same stream: each is notified with a call of its own. */
const CONSUMERS_MAX = 64;
/** A subscription that has not answered by then is notified again later. */
const NOTIFY_MS_MAX = 15_000;
/** Segments that are looked at for what came before an instant. */
const SEGMENTS_MAX = 1_000;

/** The objects of subscriptions. */
interface SubscriptionObjects {
  getByName(consumer: string): Pick<SubscriptionNotifyApi, "notify">;
}

/** How a stream notifies its subscriptions. Without such objects, the answer is that nobody wants notifications. */
export function notifierOf(consumers: SubscriptionObjects | undefined): StreamHost["notifySubscription"] {
  if (consumers === undefined) return async () => false;
  return (consumer, notification) => withTimeout(NOTIFY_MS_MAX, consumers.getByName(consumer).notify(notification));
}

export class WakeSubscriptions implements WantedApi {
  readonly #host: StreamHost;
  readonly #lifecycle: Lifecycle;
  readonly #outbox: Outbox;
  /** Those who asked since the calls under way were made: that they did not want it then says nothing now. */
  readonly #asked = new Set<string>();

  constructor(host: StreamHost, lifecycle: Lifecycle, alarms: Alarms) {
    this.#host = host;
    this.#lifecycle = lifecycle;
    this.#outbox = new Outbox({
      now: () => host.now(),
      arm: () => alarms.arm(),
      send: () => this.#notifyAll(),
    });
    alarms.add({
      name: "notify subscriptions",
      retryMs: RETRY_MS,
      everyFiring: true,
      dueAtMs: () => this.#outbox.dueAtMs,
      run: () => this.#outbox.fire(),
    });
  }

  async want({ consumer, sinceMs }: WantCommand): Promise<Result<WantResult>> {
    const found = this.#lifecycle.require();
    if (!found.ok) return found;
    const { state } = found;
    this.#asked.add(consumer);
    if (!state.consumers.includes(consumer)) {
      if (state.consumers.length >= CONSUMERS_MAX) {
        return refuse("subscriptions-full", `One stream can wake at most ${CONSUMERS_MAX} subscriptions.`);
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
    if (state.consumers.length > 0) this.#outbox.record();
  }

  /** Something durable may have happened of which somebody has not heard. Nobody waits for this. */
  notify(state: StreamState): void {
    if (state.consumers.length > 0) this.#outbox.flush();
  }

  /** @returns whether everybody has heard. */
  async #notifyAll(): Promise<boolean> {
    const state = this.#lifecycle.stored();
    if (state === undefined || state.deleted) return true;
    this.#asked.clear();
    const notification = notificationOf(state, this.#host);
    const notified = state.consumers;
    const answers = await Promise.all(
      notified.map((consumer) => this.#host.notifySubscription(consumer, notification).catch(() => undefined)),
    );
    if (this.#lifecycle.stored() !== state) return true;
    const over = new Set(notified.filter((consumer, index) => answers[index] === false && !this.#asked.has(consumer)));
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

function notificationOf({ lineage, tail }: StreamState, { name }: StreamHost): StreamNotification {
  const stream = name.slice(name.indexOf("/") + 1);
  return { stream, incarnation: lineage.incarnation, tail: offsetAt(lineage, tail) };
}

/**
 * How far the stream had got at an instant. Where that is cold, a little less: rather one notification too many than one too
 * few.
 */
function positionAt({ log, base }: StreamState, { database }: StreamHost, atMs: number): number {
  const hot = log.endAt(atMs);
  if (hot !== undefined) return hot;
  const cold = segmentsFrom(database, 0, SEGMENTS_MAX).findLast(({ committedAtMs }) => committedAtMs <= atMs);
  return Math.max(base, cold?.last ?? 0);
}
