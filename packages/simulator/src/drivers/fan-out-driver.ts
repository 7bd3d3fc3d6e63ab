import type { LinkFormat, SubscribeResult } from "@durable-streams-cloudflare/core/contracts/fan-out";
import type { ShardLimits } from "@durable-streams-cloudflare/core/fan-out/delivery/shards";
import { createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";

import { FanOutLedger } from "../model/fan-out-ledger.ts";
import { FanOutWorld } from "../worlds/fan-out-world.ts";
import { ignoreLost, Lost, type Fate } from "../worlds/world.ts";

const FATES: readonly Fate[] = ["arrives", "arrives", "arrives", "arrives", "arrives", "lost", "late"];
const TTL_SECONDS = 1_000_000;
/** Longer than a link that has failed again and again waits for its next try. */
const SETTLE_MS = 660_000;

/** What a client has asked for and was not answered: it asks again until it is. */
type Pending = () => Promise<void>;

/** Clients that publish, subscribe and unsubscribe while anything may go wrong, and the ledger of what they were answered. */
export class FanOutDriver {
  readonly world: FanOutWorld;
  readonly ledger = new FanOutLedger();
  readonly sources: readonly string[];
  readonly sessions: readonly string[];
  readonly #format: LinkFormat;
  readonly #members = new Set<string>();
  /** By session and source, or by producer: one thing at a time. */
  readonly #busy = new Set<string>();
  readonly #pending = new Map<string, Pending>();
  #messages = 0;

  constructor(
    counts: { readonly sources: number; readonly sessions: number },
    format: LinkFormat,
    shards?: ShardLimits,
  ) {
    this.world = new FanOutWorld(shards === undefined ? {} : { shards });
    this.sources = Array.from({ length: counts.sources }, (_, index) => `p/source-${index}`);
    this.sessions = Array.from({ length: counts.sessions }, (_, index) => `p/session-${index}`);
    this.#format = format;
  }

  async begin(): Promise<void> {
    for (const source of this.sources) {
      await this.world.askStream(source, (stream) => stream.create(createOf({ contentType: "application/json" })));
    }
    this.world.isHeld = true;
  }

  /** One append of some messages; by a producer, which repeats what was not answered, or without. */
  publish(at: number, size: number, byProducer: boolean): void {
    const source = pick(this.sources, at);
    const producer = byProducer ? `${source} producer` : undefined;
    if (producer !== undefined && (this.#busy.has(producer) || this.#pending.has(producer))) return;
    this.#messages += 1;
    const first = this.#messages;
    const ids = Array.from({ length: (size % 3) + 1 }, (_, index) => `${source}#${first}.${index}`);
    const acknowledge = ids.map((id) => this.ledger.publishing(source, id));
    const command = {
      bytes: utf8(ids.map((id) => `${JSON.stringify(id)},`).join("")),
      contentType: "application/json",
      close: false,
      ...(producer === undefined ? { attempt: `a${first}` } : { producer: { id: "producer", epoch: first, seq: 0 } }),
    };
    const send = async (): Promise<void> => {
      const result = await this.world.askStream(source, (stream) => stream.append(command));
      if (!result.ok) throw new Error(`An append was refused: ${result.problem.code}`);
      for (const acknowledged of acknowledge) acknowledged();
    };
    if (producer === undefined) void send().catch(ignoreLost);
    else this.#run(producer, send);
  }

  /** Joins or leaves, whichever the session has not done to the source. */
  toggle(sessionAt: number, sourceAt: number): void {
    const [session, source] = [pick(this.sessions, sessionAt), pick(this.sources, sourceAt)];
    const key = `${session} ${source}`;
    if (this.#busy.has(key) || this.#pending.has(key)) return;
    if (this.#members.delete(key)) {
      const left = this.ledger.leaving(session, source);
      this.#run(key, async () => {
        const result = await this.world.askEstuary(session, (estuary) => estuary.unsubscribe([source]));
        expectAll(result);
        left();
      });
    } else {
      this.#members.add(key);
      const joined = this.ledger.joining(session, source);
      this.#run(key, async () => {
        await this.#subscribe(session, source, "first");
        joined();
      });
    }
  }

  /** Subscribes once more to what the session follows already, with a token of another key. */
  renew(sessionAt: number, sourceAt: number): void {
    const [session, source] = [pick(this.sessions, sessionAt), pick(this.sources, sourceAt)];
    const key = `${session} ${source}`;
    if (!this.#members.has(key) || this.#busy.has(key) || this.#pending.has(key)) return;
    this.#run(key, () => this.#subscribe(session, source, `other-${sessionAt % 3}`));
  }

  /** Lets something go on, or get lost. */
  async release(at: number, fate: number): Promise<void> {
    await this.world.release(at, pick(FATES, fate));
  }

  /** The queue delivers a message, in any order; or it loses one, or delivers it and will deliver it again. */
  queue(at: number, fate: number): void {
    const { queue } = this.world;
    if (queue.length === 0) return;
    if (fate % 8 === 0) queue.splice(at % queue.length, 1);
    else {
      if (fate % 8 === 1) queue.push(pick(queue, at));
      this.#run(`queue ${at} ${fate}`, () => this.world.deliverShard(at));
    }
  }

  async crash(at: number): Promise<void> {
    this.world.crash(pick(this.world.keys, at));
    await settled();
  }

  /** Asks again for what was not answered. */
  retry(at: number): void {
    const [key, work] = pick([...this.#pending], at) ?? [];
    if (key === undefined || work === undefined || this.#busy.has(key)) return;
    this.#pending.delete(key);
    this.#run(key, work);
  }

  /** Nothing goes wrong any more, every question is answered, and time goes on until all has arrived. */
  async settle(): Promise<void> {
    await this.world.releaseAll();
    while (this.world.queue.length > 0) await this.world.deliverShard(0);
    for (let rounds = 0; this.#pending.size > 0 || this.#busy.size > 0; rounds += 1) {
      if (rounds > 1_000) throw new Error(`Never answered: ${[...this.#pending.keys(), ...this.#busy].join("; ")}`);
      this.retry(0);
      await settled();
      if (rounds % 10 === 9) await this.world.fireAlarmsUntil(this.world.nowMs + 60_000);
    }
    await this.world.fireAlarmsUntil(this.world.nowMs + SETTLE_MS);
  }

  /** Everything that is wrong with what the sessions hold. */
  faults(): string[] {
    if (this.world.reports.length > 0) return this.world.reports;
    const orders = new Map(this.sources.map((source) => [source, idsIn(this.world.content(source))]));
    return this.sessions.flatMap((session) => {
      const held = this.#heldBy(session);
      return this.sources.flatMap((source) =>
        this.ledger.faultsOf(
          session,
          source,
          orders.get(source) ?? [],
          held.filter((id) => id.startsWith(`${source}#`)),
        ),
      );
    });
  }

  async #subscribe(session: string, source: string, kid: string): Promise<void> {
    const command = {
      sources: [source],
      format: this.#format,
      from: { kind: "now" },
      ttlSeconds: TTL_SECONDS,
      grant: { kid, user: null, expiresAtMs: null },
    } as const;
    const result = await this.world.askEstuary(session, (estuary) => estuary.subscribe(command));
    expectAll<SubscribeResult>(result);
  }

  #heldBy(session: string): string[] {
    const content = this.world.content(session);
    if (this.#format === "raw") return idsIn(content);
    const envelopes = JSON.parse(`[${(content ?? "").slice(0, -1)}]`) as { data: string[] }[];
    return envelopes.flatMap(({ data }) => data);
  }

  #run(key: string, work: Pending): void {
    this.#busy.add(key);
    const done = (async () => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        this.#pending.set(key, work);
      } finally {
        this.#busy.delete(key);
      }
    })();
    void done;
  }
}

/** What could not be done now was as good as lost: it is asked for again. */
function expectAll<Value extends { results: readonly ({ source: string } & Result<object>)[] }>(
  result: Result<Value> | Result<{ results: readonly ({ source: string } & Result<object>)[] }>,
): void {
  const refused = result.ok ? result.results.find(({ ok }) => !ok) : result;
  if (refused === undefined) return;
  const { code } = (refused as { problem: { code: string } }).problem;
  if (code === "unavailable") throw new Lost("It could not be done now.");
  // Leaving again what was left with the session itself.
  throw new Error(`It was refused: ${code}`);
}

function idsIn(content: string | undefined): string[] {
  return JSON.parse(`[${(content ?? "").slice(0, -1)}]`) as string[];
}

function pick<Item>(items: readonly Item[], at: number): Item {
  return items[at % Math.max(1, items.length)] as Item;
}
