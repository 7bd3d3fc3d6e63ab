import type { Result } from "@durable-streams-cloudflare/protocol";
import { concatBytes, textOf } from "@durable-streams-cloudflare/testkit";
import { FakeHost } from "@durable-streams-cloudflare/testkit/node-host";

import { Estuary } from "../../src/estuary/estuary.ts";
import type { SubscriptionApi } from "../../src/rpc/fan-out.ts";
import { LiveReaders } from "../../src/stream/live-readers.ts";
import { Stream, type StreamLimits } from "../../src/stream/stream.ts";
import { Subscription } from "../../src/subscription/subscription.ts";
import { LIMITS, START_MS, type Host } from "./stream-fixture.ts";
import { Lost, settled, type Fate } from "./stream-world.ts";

/** One object: what it is, and of what name. */
type Key = `${"stream" | "subscription" | "estuary"}:${string}`;

type Core = Stream | Subscription | Estuary;

/** One object between two crashes. What an earlier life still had under way never goes on. */
interface Life {
  readonly core: Core;
  readonly crashed: Promise<never>;
  readonly crash: () => void;
  isOver: boolean;
  isRinging: boolean;
}

interface Held {
  readonly owner: Life | undefined;
  readonly release: (fate: Fate) => void;
}

const NEVER = new Promise<never>(() => undefined);

/**
 * Streams, subscriptions and estuaries in one process, wired to each other. While `isHeld`, every wait for the disk and
 * every message between two objects waits for the test to say what becomes of it; any object can crash at any moment.
 */
export class FanOutWorld {
  nowMs = START_MS;
  isHeld = false;
  readonly #limits: StreamLimits;
  /** Messages between objects so far. */
  readonly calls: { readonly to: Key; readonly method: string }[] = [];
  /** What objects have reported. */
  readonly reports: string[] = [];
  readonly #hosts = new Map<Key, Host>();
  readonly #lives = new Map<Key, Life>();
  readonly #held: Held[] = [];

  constructor(limits: Partial<StreamLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  get keys(): Key[] {
    return [...this.#hosts.keys()];
  }

  get heldCount(): number {
    return this.#held.length;
  }

  host(key: Key): Host {
    let host = this.#hosts.get(key);
    if (host === undefined) {
      host = new FakeHost((sockets) => new LiveReaders(sockets), START_MS, key.slice(key.indexOf(":") + 1));
      this.#hosts.set(key, host);
    }
    return host;
  }

  stream(name: string): Stream {
    return this.#core<Stream>(`stream:${name}`);
  }

  /** Calls from outside; a crash of the object is an error, as over RPC. */
  askStream<Answer>(name: string, invoke: (stream: Stream) => Promise<Answer> | Answer): Promise<Answer> {
    return this.#ask(`stream:${name}`, invoke as (core: Core) => Promise<Answer> | Answer);
  }

  askEstuary<Answer>(name: string, invoke: (estuary: Estuary) => Promise<Answer>): Promise<Answer> {
    return this.#ask(`estuary:${name}`, invoke as (core: Core) => Promise<Answer>);
  }

  /** The object's memory is gone; what is on its disk stays. */
  crash(key: Key): void {
    const life = this.#lives.get(key);
    if (life === undefined) return;
    life.isOver = true;
    life.crash();
    this.#lives.delete(key);
  }

  /** Lets one thing that is held go on, or get lost. */
  async release(index: number, fate: Fate): Promise<void> {
    const [held] = this.#held.splice(index % Math.max(1, this.#held.length), 1);
    held?.release(fate);
    await settled();
  }

  /** Lets everything go on from here. */
  async releaseAll(): Promise<void> {
    this.isHeld = false;
    while (this.#held.length > 0) await this.release(0, "arrives");
    await settled();
  }

  /** Rings the alarm that is due first, at its time. It is no longer set while it runs, and never runs twice at once. */
  async ringNext(untilMs = Infinity): Promise<boolean> {
    const due = this.keys
      .filter((key) => this.#lives.get(key)?.isRinging !== true)
      .map((key) => ({ key, atMs: this.host(key).alarmAtMs ?? Infinity }))
      .filter(({ atMs }) => atMs < untilMs)
      .toSorted((a, b) => a.atMs - b.atMs)[0];
    if (due === undefined) return false;
    this.nowMs = Math.max(this.nowMs, due.atMs);
    const ringing = this.#ring(due.key);
    if (!this.isHeld) await ringing;
    return true;
  }

  /** Time goes on from alarm to alarm. */
  async ringUntil(untilMs: number): Promise<void> {
    for (let rounds = 0; await this.ringNext(untilMs); rounds += 1) {
      await settled();
      if (rounds > 100_000) throw new Error("The alarms never come to rest.");
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** All that a stream has. */
  content(name: string): string | undefined {
    const facts = this.stream(name).head();
    if (!facts.ok) return undefined;
    const { lineage, tail } = facts;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let from = 0; from < tail; from += pieces.at(-1)?.length ?? 0) {
      const page = this.stream(name).page({ incarnation: lineage.incarnation, from, to: tail, paging: "bytes" });
      if (!page.ok || page.page.length === 0) throw new Error(`${name} has a hole at ${from}.`);
      pieces.push(page.page);
    }
    return textOf(concatBytes(pieces));
  }

  /** Tables of an object, the alarm included: none is what one that is not needed any more must leave. */
  leftovers(key: Key): string[] {
    const { database, alarmAtMs } = this.host(key);
    const tables = database.all<{ name: string }>("SELECT name FROM sqlite_master").map((row) => row.name);
    return alarmAtMs === undefined ? tables : [...tables, "alarm"];
  }

  async #ring(key: Key): Promise<void> {
    const life = this.#life(key);
    this.host(key).alarmAtMs = undefined;
    life.isRinging = true;
    try {
      await this.#ask(key, (core) => core.alarm());
    } catch (error) {
      // The runtime rings again when the object has died, or has thrown.
      if (!(error instanceof Lost)) throw error;
      const host = this.host(key);
      host.alarmAtMs ??= this.nowMs + 2_000;
    } finally {
      life.isRinging = false;
    }
  }

  async #ask<Answer>(key: Key, invoke: (core: Core) => Promise<Answer> | Answer): Promise<Answer> {
    const life = this.#life(key);
    return Promise.race([Promise.resolve(invoke(life.core)), life.crashed]);
  }

  #core<Kind extends Core>(key: Key): Kind {
    return this.#life(key).core as Kind;
  }

  #life(key: Key): Life {
    let life = this.#lives.get(key);
    if (life === undefined) {
      life = this.#boot(key);
      this.#lives.set(key, life);
    }
    return life;
  }

  #boot(key: Key): Life {
    const base = this.host(key);
    const { promise: crashed, reject } = Promise.withResolvers<never>();
    crashed.catch(() => undefined);
    const own = {
      name: base.name,
      database: base.database,
      segments: undefined,
      report: (message: string, error: unknown) => this.#report(message, error),
      now: () => this.nowMs,
      sync: () => this.#hold(life),
      purge: async () => {
        await base.purge();
        await this.#hold(life);
      },
      setAlarm: (atMs: number) => base.setAlarm(atMs),
    };
    const wire = <Api extends object>(to: Key): Api => this.#wire<Api>(() => life, to);
    const [kind] = key.split(":", 1);
    const core = (): Core => {
      if (kind === "subscription") {
        return new Subscription({
          ...own,
          stream: (to) => wire(`stream:${to}`),
          session: (to) => wire(`stream:${to}`),
        });
      }
      if (kind === "estuary") {
        return new Estuary({
          ...own,
          stream: wire(`stream:${base.name}`),
          source: (to) => wire(`stream:${to}`),
          subscription: (to) => wire(`subscription:${to}`),
        });
      }
      return new Stream(
        {
          ...own,
          readers: base.readers,
          databaseBytes: () => 0,
          newId: () => base.newId(),
          random: () => base.random(),
          clearAlarm: () => base.clearAlarm(),
          peer: (to) => wire(`stream:${to}`),
          notifyFollowers: (news) => wire<Pick<SubscriptionApi, "notify">>(`subscription:${base.name}`).notify(news),
        },
        this.#limits,
      );
    };
    const life: Life = {
      core: core(),
      crashed,
      crash: () => reject(new Lost("The object crashed.")),
      isOver: false,
      isRinging: false,
    };
    return life;
  }

  /** Another object, as one object sees it: each call is a message there, and one back. */
  #wire<Api extends object>(from: () => Life, to: Key): Api {
    return new Proxy({} as Api, {
      get: (_, method) => (command: unknown) => this.#call(from(), to, String(method), command),
    });
  }

  async #call(from: Life, to: Key, method: string, command: unknown): Promise<unknown> {
    this.calls.push({ to, method });
    const message = structuredClone(command);
    const invoke = (core: Core): unknown =>
      (core as unknown as Record<string, (command: unknown) => unknown>)[method]?.(message);
    try {
      // A message may arrive although its sender is gone by then.
      const fate = await this.#fate(undefined);
      if (fate === "late") void this.#arriveLate(to, invoke);
      if (fate !== "arrives") throw new Lost("The request was lost.");
      const answer = structuredClone(await this.#ask(to, invoke));
      if ((await this.#fate(from)) !== "arrives") throw new Lost("The answer was lost.");
      return answer;
    } finally {
      if (from.isOver) await NEVER;
    }
  }

  async #arriveLate(to: Key, invoke: (core: Core) => unknown): Promise<void> {
    if ((await this.#fate(undefined)) !== "arrives") return;
    await this.#ask(to, async (core) => invoke(core)).catch((error: unknown) => {
      if (!(error instanceof Lost)) throw error;
    });
  }

  #report(message: string, error: unknown): void {
    if (!(error instanceof Lost)) this.reports.push(`${message} ${String(error)}`);
  }

  async #hold(owner: Life): Promise<void> {
    await this.#fate(owner);
    if (owner.isOver) await NEVER;
  }

  #fate(owner: Life | undefined): Promise<Fate> {
    if (!this.isHeld) return Promise.resolve("arrives");
    return new Promise((release) => this.#held.push({ owner, release }));
  }
}

/** The facts of a result that must be good. */
export function factsOf<Facts>(result: Result<Facts>): { readonly ok: true } & Facts {
  if (!result.ok) throw new Error(`refused: ${result.problem.code}, ${result.problem.detail}`);
  return result;
}
