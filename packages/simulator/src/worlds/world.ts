import type { PageResult } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { StreamHost } from "@durable-streams-cloudflare/core/stream/host";
import { LiveReaders } from "@durable-streams-cloudflare/core/stream/read/live-readers";
import { NodeDatabase } from "@durable-streams-cloudflare/core/test/node-database";
import { START_MS, type Host } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { concatBytes } from "@durable-streams-cloudflare/testkit";
import { FakeHost, settled, type FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import { blocksIn, type StoredBlock } from "./stored-blocks.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What becomes of a message, or of a wait, when its time has come. `late`: its sender takes it for lost, but it is not. */
export type Fate = "arrives" | "lost" | "late";

/** Thrown where the network or a crash took something, as the runtime marks it; anything else that is thrown is a bug. */
export class Lost extends Error {
  readonly retryable = true;
}

/** What an object between two crashes does. What an earlier instance still had under way never goes on. */
export interface Doer {
  isOver: boolean;
}

interface Instance<Core> {
  readonly core: Core;
  readonly doer: Doer;
  readonly crashed: Promise<never>;
  readonly crash: () => void;
  isFiring: boolean;
}

/** What every object is given by its world. */
export type OwnPorts = Omit<StreamHost, "peer" | "directory" | "notifyFollowers">;

/** The runtime's `scheduler`: pauses between two tries take no time here. */
Object.assign(globalThis, { scheduler: { wait: () => Promise.resolve() } });

/** Longer than an object waits for an upload. */
const UPLOAD_MS_MAX = 120_000;

const NEVER = new Promise<never>(() => undefined);

/**
 * Objects in one process, wired to each other. While `isHeld`, every wait for the disk and every message between two
 * objects waits for the test to say what becomes of it; any object can crash at any moment.
 */
export abstract class World<Core extends { alarm(): Promise<void> }, Key extends string = string> {
  nowMs = START_MS;
  isHeld = false;
  /** Where the streams' cold segments go, if they have any. */
  readonly segments: FakeSegmentStore | undefined;
  /** Messages between objects so far, by method. */
  readonly calls: { readonly to: Key | "R2" | "queue"; readonly method: string }[] = [];
  readonly #hosts = new Map<Key, Host>();
  readonly #instances = new Map<Key, Instance<Core>>();
  readonly #held: ((fate: Fate) => void)[] = [];

  constructor(segments: FakeSegmentStore | undefined) {
    this.segments = segments;
  }

  /** What kind of database an object has. */
  protected abstract schemaOf(key: Key): Schema;

  /** Makes an object, or makes it again after a crash. */
  protected abstract boot(key: Key, own: OwnPorts, doer: Doer): Core;

  get keys(): Key[] {
    return [...this.#hosts.keys()];
  }

  /** What objects have reported, but for what was lost. */
  get reports(): string[] {
    return this.keys.flatMap((key) =>
      this.host(key)
        .reports.filter(({ error }) => !(error instanceof Lost))
        .map(({ message, error }) => `${message} ${String(error)}`),
    );
  }

  get heldCount(): number {
    return this.#held.length;
  }

  host(key: Key): Host {
    let host = this.#hosts.get(key);
    if (host === undefined) {
      host = new FakeHost(
        (sockets) => new LiveReaders(sockets),
        new NodeDatabase(this.schemaOf(key)),
        START_MS,
        nameIn(key),
      );
      this.#hosts.set(key, host);
    }
    return host;
  }

  /** Calls an object from outside; a crash of it is an error, as over RPC. */
  async ask<Answer>(key: Key, invoke: (core: Core) => Promise<Answer> | Answer): Promise<Answer> {
    const instance = this.#instance(key);
    return Promise.race([Promise.resolve(invoke(instance.core)), instance.crashed]);
  }

  /** The object's memory is gone; what is on its disk stays. */
  crash(key: Key): void {
    const instance = this.#instances.get(key);
    if (instance === undefined) return;
    instance.doer.isOver = true;
    instance.crash();
    this.#instances.delete(key);
  }

  /** Lets one thing that is held go on, or get lost. */
  async release(index: number, fate: Fate): Promise<void> {
    const [held] = this.#held.splice(index % Math.max(1, this.#held.length), 1);
    held?.(fate);
    await settled();
  }

  /** Lets everything go on from here. */
  async releaseAll(): Promise<void> {
    this.isHeld = false;
    while (this.#held.length > 0) await this.release(0, "arrives");
    await settled();
  }

  /** Rings the alarm as the runtime does: it is no longer set while it runs, and never runs twice at once. */
  async fireAlarm(key: Key): Promise<void> {
    const instance = this.#instance(key);
    if (instance.isFiring) return;
    this.host(key).alarmAtMs = undefined;
    instance.isFiring = true;
    try {
      await this.ask(key, (core) => core.alarm());
    } finally {
      instance.isFiring = false;
    }
  }

  /** Rings the alarm that is due first, at its time; again, as the runtime does, should the object die meanwhile. */
  async fireNextAlarm(untilMs = Infinity): Promise<boolean> {
    const due = this.keys
      .filter((key) => this.#instances.get(key)?.isFiring !== true)
      .map((key) => ({ key, atMs: this.host(key).alarmAtMs ?? Infinity }))
      .filter(({ atMs }) => atMs < untilMs)
      .toSorted((a, b) => a.atMs - b.atMs)[0];
    if (due === undefined) return false;
    this.nowMs = Math.max(this.nowMs, due.atMs);
    const firing = this.fireAlarm(due.key).catch((error: unknown) => {
      ignoreLost(error);
      this.host(due.key).alarmAtMs ??= this.nowMs + 2_000;
    });
    if (!this.isHeld) await firing;
    return true;
  }

  /**
   * Time goes on from alarm to alarm until none is left.
   * @param untilMs later alarms are left alone.
   */
  async fireAllAlarms(untilMs = Infinity): Promise<void> {
    for (let rounds = 0; await this.fireNextAlarm(untilMs); rounds += 1) {
      if (rounds > 100_000) throw new Error("The alarms never come to rest.");
      await settled();
    }
  }

  /** The same, and time goes on to its end. */
  async fireAlarmsUntil(untilMs: number): Promise<void> {
    await this.fireAllAlarms(untilMs);
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** Until no alarm is under way: cryptography takes its own time. */
  async alarmsRest(): Promise<void> {
    while ([...this.#instances.values()].some(({ isFiring }) => isFiring)) await settled();
  }

  /** Tables of an object, the alarm included: none is what one that is not needed any more must leave. */
  leftovers(key: Key): string[] {
    const { database, alarmAtMs } = this.host(key);
    const tables = database.tableNames();
    return alarmAtMs === undefined ? tables : [...tables, "alarm"];
  }

  /** The bytes of a page: cold ones by the documented format alone. */
  bytesOf({ page, cold }: PageResult): Bytes {
    if (cold.length === 0) return page;
    return concatBytes(
      cold.flatMap((slice) => {
        const { from, to } = slice;
        return this.blocksOf(slice).map(({ at, payload }) =>
          payload.subarray(Math.max(0, from - at), Math.max(0, to - at)),
        );
      }),
    );
  }

  /** The blocks of a segment that a slice lies in. */
  protected blocksOf({
    key,
    offset,
    end,
    position,
  }: PageResult["cold"][number]): (StoredBlock & { readonly at: number })[] {
    const object = this.segments?.objects.get(key);
    if (object === undefined) throw new Error(`The object ${key} is missing.`);
    let at = position;
    return blocksIn(object.slice(offset, end)).map((block) => {
      const found = { ...block, at };
      at += block.payload.length;
      return found;
    });
  }

  protected core(key: Key): Core {
    return this.#instance(key).core;
  }

  /** Something that may get lost on its way out, but is not a call. */
  protected async passed(method: string): Promise<void> {
    this.calls.push({ to: "queue", method });
    if ((await this.#fate()) === "lost") throw new Lost("It was lost.");
  }

  /** One object calls another: a message there, and one back. */
  protected async call<Answer>(
    from: Doer,
    to: Key,
    method: string,
    invoke: (core: Core) => Promise<Answer> | Answer,
  ): Promise<Answer> {
    this.calls.push({ to, method });
    try {
      // A message may arrive although its sender is gone by then.
      const fate = await this.#fate();
      if (fate === "late") void this.#arriveLate(to, invoke);
      if (fate !== "arrives") throw new Lost("The request was lost.");
      const answer = structuredClone(await this.ask(to, invoke));
      if ((await this.#fate()) !== "arrives") throw new Lost("The answer was lost.");
      return answer;
    } finally {
      if (from.isOver) await NEVER;
    }
  }

  #instance(key: Key): Instance<Core> {
    let instance = this.#instances.get(key);
    if (instance === undefined) {
      const doer = { isOver: false };
      const { promise: crashed, reject } = Promise.withResolvers<never>();
      crashed.catch(() => undefined);
      const crash = (): void => reject(new Lost("The object crashed."));
      const core = this.boot(key, this.#ownPorts(key, doer), doer);
      instance = { core, doer, crashed, crash, isFiring: false };
      this.#instances.set(key, instance);
    }
    return instance;
  }

  #ownPorts(key: Key, doer: Doer): OwnPorts {
    const base = this.host(key);
    return {
      name: base.name,
      database: base.database,
      readers: base.readers,
      segments: this.segments && this.#storeOf(doer, this.segments),
      report: (message, error) => base.report(message, error),
      databaseBytes: () => 0,
      now: () => this.nowMs,
      notifySubscription: async () => false,
      newId: () => base.newId(),
      random: () => base.random(),
      nextTurn: () => this.#hold(doer),
      sync: () => this.#hold(doer),
      purge: async () => {
        await base.purge();
        await this.#hold(doer);
      },
      setAlarm: (atMs) => base.setAlarm(atMs),
      clearAlarm: () => base.clearAlarm(),
    };
  }

  async #arriveLate(to: Key, invoke: (core: Core) => unknown): Promise<void> {
    if ((await this.#fate()) !== "arrives") return;
    await this.ask(to, async (core) => invoke(core)).catch(ignoreLost);
  }

  /** An upload arrives in whole or not at all, also when its sender is gone by then; but not after a long time. */
  #storeOf(doer: Doer, store: FakeSegmentStore): SegmentStore {
    const call = async <Answer>(method: string, invoke: () => Promise<Answer>): Promise<Answer> => {
      const sentAtMs = this.nowMs;
      this.calls.push({ to: "R2", method });
      try {
        const fate = await this.#fate();
        const isInTime = (): boolean => this.nowMs - sentAtMs <= UPLOAD_MS_MAX;
        if (fate === "late") void this.#fate().then(() => (isInTime() ? invoke() : undefined));
        if (fate !== "arrives" || !isInTime()) throw new Lost("The request was lost.");
        const answer = await invoke();
        if ((await this.#fate()) !== "arrives") throw new Lost("The answer was lost.");
        return answer;
      } finally {
        if (doer.isOver) await NEVER;
      }
    };
    return {
      put: async (key, size, chunks, signal) => {
        const body: Bytes[] = [];
        for await (const chunk of chunks) body.push(chunk);
        return call("put", () => store.put(key, size, each(body), signal));
      },
      get: (key, offset, length) => store.get(key, offset, length),
      list: (prefix) => call("list", () => store.list(prefix)),
      delete: (keys) => call("delete", () => store.delete(keys)),
    };
  }

  async #hold(doer: Doer): Promise<void> {
    await this.#fate();
    if (doer.isOver) await NEVER;
  }

  #fate(): Promise<Fate> {
    if (!this.isHeld) return Promise.resolve("arrives");
    return new Promise((release) => this.#held.push(release));
  }
}

/** An object's name, from its key: what it is may stand before it. */
function nameIn(key: string): string {
  return key.slice(key.indexOf(":") + 1);
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

export function ignoreLost(error: unknown): void {
  if (!(error instanceof Lost)) throw error;
}
