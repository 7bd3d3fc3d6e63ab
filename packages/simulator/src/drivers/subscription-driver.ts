import type { AckCommand, ClaimResult } from "@durable-streams-cloudflare/core/contracts/wakes";
import { createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import {
  callbackOf,
  CONTROL_URL,
  ofClaim,
  WEBHOOK,
  type Notification,
} from "@durable-streams-cloudflare/core/test/wake-fixture";
import type { SubscriptionConfig } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";

import { SubscriptionWorld } from "../worlds/subscription-world.ts";
import { ignoreLost, type Fate } from "../worlds/world.ts";

const FATES: readonly Fate[] = ["arrives", "arrives", "arrives", "arrives", "arrives", "lost", "late"];
const STREAMS = ["e/0", "e/1", "e/2", "e/3"];
const WORKERS = 3;
const LEASE_MS = 2_000;

type Work = {
  readonly wake: Pick<AckCommand, "via" | "token" | "wakeId" | "generation">;
  readonly acks: AckCommand["acks"];
};

/** Producers, workers and a webhook of which anything may go wrong, and what they were told. */
export class SubscriptionDriver {
  readonly world = new SubscriptionWorld();
  readonly faults: string[] = [];
  readonly #config: SubscriptionConfig;
  /** What each worker has in hand. */
  readonly #hands = new Map<number, Work>();
  /** How far workers have processed each incarnation of a stream, by its name and incarnation. */
  readonly #processed = new Map<string, string>();
  readonly #wakeIds = new Map<number, string>();
  readonly #granted = new Set<number>();
  /** The greatest generation that a worker was told of. */
  #newest = 0;
  /** What may have ended a wake or begun one: there are no more wakes than that. */
  #causes = 1;
  #choices: number[] = [];

  constructor(type: SubscriptionConfig["type"]) {
    const ways = type === "webhook" ? {} : { webhookUrl: null, wakeStream: "wake" };
    this.#config = { ...WEBHOOK, ...ways, type, pattern: "e/*", streams: ["e/0"], leaseTtlMs: LEASE_MS };
    this.world.onWebhook = (body) => this.#takeWebhook(body);
    // One at a time, and none for each third who asks.
    let asked = 0;
    this.world.grant = () => ({ granted: (asked += 1) % 3 === 0 ? 0 : 1, waitMs: 500, mustProve: false });
  }

  async begin(): Promise<void> {
    await this.#make("wake", "");
    await this.#make("e/1", "1,2,");
    const { world } = this;
    const created = await world.askSubscription((consumer) =>
      consumer.create({ config: this.#config, controlUrl: CONTROL_URL }),
    );
    if (!created.ok) throw new Error(created.problem.detail);
    // The directory learns of a stream a moment after it was made.
    await world.fireAlarmsUntil(world.nowMs + 5_000);
    const described = await world.askSubscription((consumer) => consumer.describe());
    if (!described.ok) throw new Error(described.problem.detail);
    for (const { path, acked } of described.subscription.streams) this.#process(path, acked);
    world.isHeld = true;
  }

  append(at: number, size: number): void {
    const name = STREAMS[at % STREAMS.length] ?? "";
    this.world.nowMs += 1;
    const bytes = utf8("1,".repeat((size % 3) + 1));
    const append = this.world.askStream(name, (stream) =>
      stream.append({ bytes, contentType: "application/json", close: false }),
    );
    void append
      .then((result) => (result.ok ? undefined : this.#make(name, size % 2 === 0 ? "" : "0,")))
      .catch(ignoreLost);
  }

  /** A stream ends; the next append makes another one. */
  end(at: number): void {
    const name = STREAMS[at % STREAMS.length] ?? "";
    this.#causes += 1;
    void this.world.askStream(name, (stream) => stream.remove()).catch(ignoreLost);
  }

  /** A worker takes a wake, or goes on with what it has: it may acknowledge, give back, or die. */
  work(at: number, choice: number): void {
    const worker = at % WORKERS;
    const work = this.#hands.get(worker);
    if (work === undefined) {
      if (this.#config.type === "pull-wake") void this.#claim(worker).catch(ignoreLost);
      return;
    }
    this.#hands.delete(worker);
    if (choice % 5 === 0) return;
    if (choice % 5 === 1 && work.wake.via === "pull-wake") {
      void this.world.askSubscription((consumer) => consumer.release(work.wake)).catch(ignoreLost);
    } else void this.#ack(work, choice % 5 !== 2, worker).catch(ignoreLost);
  }

  /** What the webhook answers next. */
  choose(choice: number): void {
    this.#choices = [...this.#choices, choice].slice(-4);
  }

  async release(at: number, fate: number): Promise<void> {
    await this.world.release(at, FATES[fate % FATES.length] ?? "arrives");
  }

  async crash(at: number): Promise<void> {
    const { keys } = this.world;
    this.world.crash(keys[at % keys.length] ?? "project:p");
    await settled();
  }

  /** From now on all goes well: what is pending must be woken, and dealt with by workers that wait for wakes only. */
  async settle(): Promise<void> {
    const { world } = this;
    this.#hands.clear();
    await world.releaseAll();
    world.grant = () => ({ granted: 8, waitMs: 0, mustProve: false });
    world.onWebhook = (body) => {
      this.#see(body.wake_id, body.generation);
      // A stream may have grown since the wake before was sent: that is a cause. What was processed before is none.
      if (this.#processAll(body)) this.#causes += 1;
      return { status: 200, text: '{"done":true}' };
    };
    let handled = 0;
    for (let quiet = 0, rounds = 0; quiet < 3; rounds += 1) {
      if (rounds > 60) throw new Error("The wakes never come to rest.");
      await world.alarmsRest();
      await world.fireAlarmsUntil(world.nowMs + 70_000);
      const newest = Math.max(0, ...(await world.messages("wake")).map(({ generation }) => Number(generation)));
      quiet = newest > handled ? 0 : quiet + 1;
      if (newest > handled) await this.#workOff();
      handled = newest;
    }
    await this.#expectAllDone();
  }

  async #workOff(): Promise<void> {
    await this.#claim(0);
    const work = this.#hands.get(0);
    this.#hands.delete(0);
    if (work !== undefined) await this.#ack(work, true, 0);
  }

  async #claim(worker: number): Promise<void> {
    this.#causes += 1;
    const newest = this.#newest;
    const claimed = await this.world.askSubscription((consumer) => consumer.claim(`w${worker}`));
    if (!claimed.ok) return;
    const { wakeId, generation } = claimed;
    this.#see(wakeId, generation);
    if (this.#granted.has(generation)) this.faults.push(`Two workers were granted wake ${generation}.`);
    if (generation <= newest) this.faults.push(`Wake ${generation} was granted after ${newest}.`);
    this.#granted.add(generation);
    this.#newest = Math.max(this.#newest, generation);
    this.#take(worker, ofClaim(claimed), claimed.streams);
  }

  #take(worker: number, wake: Work["wake"], streams: ClaimResult["streams"]): void {
    for (const { path, acked } of streams) this.#expectProcessed(path, acked);
    // Whatever was listed, also of streams that have nothing new.
    const acks = streams.map(({ path, tail }) => ({ stream: path, offset: tail }));
    this.#hands.set(worker, { wake, acks });
  }

  async #ack({ wake, acks }: Work, done: boolean, worker: number): Promise<void> {
    for (const { stream, offset } of acks) this.#process(stream, offset);
    const newest = this.#newest;
    const acked = await this.world.askSubscription((consumer) => consumer.ack({ ...wake, acks, done }));
    if (!acked.ok && acked.problem.code === "ack-invalid") this.faults.push(`Listed, but: ${acked.problem.detail}`);
    if (!acked.ok) return;
    if (newest > wake.generation) this.faults.push(`Wake ${wake.generation} was acknowledged after ${newest} began.`);
    if (!done) this.#hands.set(worker, { wake, acks });
  }

  #takeWebhook(body: Notification) {
    this.#causes += 1;
    this.#see(body.wake_id, body.generation);
    for (const { path, acked_offset: acked } of body.streams) this.#expectProcessed(path, acked);
    const choice = this.#choices.shift() ?? 0;
    const streams = body.streams.map(({ path, acked_offset: acked, tail_offset: tail }) => ({
      path,
      acked,
      tail,
      linkType: "glob" as const,
    }));
    if (choice % 4 === 0) return { status: 503, text: "" };
    if (choice % 4 === 1) {
      this.#processAll(body);
      return { status: 200, text: '{"done":true}' };
    }
    const { via, token, wakeId, generation } = callbackOf(body);
    this.#take(choice % WORKERS, { via, token, wakeId, generation }, streams);
    return { status: choice % 4 === 2 ? 200 : 500, text: "" };
  }

  /** Each generation has one wake. */
  #see(wakeId: string, generation: number): void {
    const known = this.#wakeIds.get(generation);
    if (known !== undefined && known !== wakeId) this.faults.push(`Generation ${generation} has two wakes.`);
    this.#wakeIds.set(generation, wakeId);
  }

  /** Processes whatever a webhook lists. @returns whether any of it was pending and had not been processed yet. */
  #processAll({ streams }: Notification): boolean {
    let hasNew = false;
    for (const { path, acked_offset: acked, tail_offset: tail } of streams) {
      const isUnseen = this.#process(path, tail);
      hasNew ||= isUnseen && tail > acked;
    }
    return hasNew;
  }

  /** @returns whether that goes further than what was processed before. */
  #process(stream: string, offset: string): boolean {
    const key = `${stream} ${offset.slice(0, 16)}`;
    const known = this.#processed.get(key) ?? "";
    if (offset <= known) return false;
    this.#processed.set(key, offset);
    return true;
  }

  /** What counts as acknowledged, somebody must have acknowledged, or it was there before the subscription. */
  #expectProcessed(stream: string, acked: string): void {
    const known = this.#processed.get(`${stream} ${acked.slice(0, 16)}`) ?? `${acked.slice(0, 16)}_${"0".repeat(16)}`;
    if (acked > known) this.faults.push(`${stream} is acknowledged up to ${acked}, but processed up to ${known}.`);
  }

  async #expectAllDone(): Promise<void> {
    const described = await this.world.askSubscription((consumer) => consumer.describe());
    if (!described.ok) throw new Error(described.problem.code);
    const acked = new Map(described.subscription.streams.map((link) => [link.path, link.acked]));
    for (const name of STREAMS) {
      const read = await this.world.askStream(name, (stream) =>
        stream.wakeSubscriptions.want({ consumer: "p/sub", sinceMs: 0 }),
      );
      if (read.ok && acked.get(name) !== read.tail)
        this.faults.push(`${name} ends at ${read.tail}, acknowledged: ${acked.get(name)}.`);
    }
    const wakes = Math.max(0, ...this.#wakeIds.keys());
    if (wakes > this.#causes) this.faults.push(`${this.#causes} causes made ${wakes} wakes.`);
    this.faults.push(...this.world.reports);
  }

  async #make(name: string, text: string): Promise<void> {
    this.world.nowMs += 1;
    const command = createOf({ contentType: "application/json", bytes: utf8(text) });
    await this.world.askStream(name, (stream) => stream.create(command));
  }
}
