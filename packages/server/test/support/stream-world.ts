import { inheritedStretches, type Lineage, type Problem, type Result } from "@durable-streams-cloudflare/protocol";
import { concatBytes, RESTART_MS, type Interruption } from "@durable-streams-cloudflare/testkit";
import { FakeHost, type FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import type { Database, SqlValue } from "../../src/storage/database.ts";
import type { SegmentStore } from "../../src/storage/segment-store.ts";
import type { PageFacts, PeerApi } from "../../src/stream/commands.ts";
import type { StreamHost } from "../../src/stream/host.ts";
import { LiveReaders } from "../../src/stream/live-readers.ts";
import { peerOf } from "../../src/stream/peer.ts";
import { Stream, type StreamLimits } from "../../src/stream/stream.ts";
import { LIMITS, START_MS, type Host } from "./stream-fixture.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What becomes of a message, or of a wait, when its time has come. `late`: its sender takes it for lost, but it is not. */
export type Fate = "arrives" | "lost" | "late";

/** Thrown where the network or a crash took something, as the runtime marks it; anything else that is thrown is a bug. */
export class Lost extends Error {
  readonly retryable = true;
}

/** One object between two crashes. What an earlier life still had under way never goes on. */
interface Life {
  readonly stream: Stream;
  readonly crashed: Promise<never>;
  readonly crash: () => void;
  isOver: boolean;
  isRinging: boolean;
}

interface Held {
  readonly owner: Life | undefined;
  readonly release: (fate: Fate) => void;
}

/** The runtime's `scheduler`: pauses between two tries take no time here. */
Object.assign(globalThis, { scheduler: { wait: () => Promise.resolve() } });
/** Longer than the object waits for an upload. */
const UPLOAD_MS_MAX = 120_000;

const NEVER = new Promise<never>(() => undefined);

/**
 * Many streams in one process, wired to each other. While `isHeld`, every wait for the disk and every message between
 * two objects waits for the test to say what becomes of it; any object can crash at any moment.
 */
export class StreamWorld {
  nowMs = START_MS;
  isHeld = false;
  readonly #limits: StreamLimits;
  /** Where the streams' cold segments go, if they have any. */
  readonly segments: FakeSegmentStore | undefined;
  /** Messages between objects so far, by method. */
  readonly calls: { readonly to: string; readonly method: string }[] = [];
  readonly #hosts = new Map<string, Host>();
  readonly #lives = new Map<string, Life>();
  readonly #held: Held[] = [];
  /** Every byte ever written, by stream and incarnation: what reads must return. */
  readonly #written = new Map<string, Map<number, Bytes>>();

  constructor({ segments, ...limits }: Partial<StreamLimits> & { readonly segments?: FakeSegmentStore } = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.segments = segments;
  }

  get names(): string[] {
    return [...this.#hosts.keys()];
  }

  get heldCount(): number {
    return this.#held.length;
  }

  host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new FakeHost((sockets) => new LiveReaders(sockets), START_MS, name);
      this.#hosts.set(name, host);
    }
    return host;
  }

  stream(name: string): Stream {
    return this.#life(name).stream;
  }

  /** Calls an object from outside; a crash of it is an error, as over RPC. */
  async ask<Answer>(name: string, invoke: (stream: Stream) => Promise<Answer> | Answer): Promise<Answer> {
    const life = this.#life(name);
    return Promise.race([Promise.resolve(invoke(life.stream)), life.crashed]);
  }

  /** The object's memory is gone; what is on its disk stays. */
  crash(name: string): void {
    const life = this.#lives.get(name);
    if (life === undefined) return;
    life.isOver = true;
    life.crash();
    this.#lives.delete(name);
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

  /** Rings the alarm as the runtime does: it is no longer set while it runs, and never runs twice at once. */
  async ring(name: string): Promise<void> {
    const life = this.#life(name);
    if (life.isRinging) return;
    this.host(name).alarmAtMs = undefined;
    life.isRinging = true;
    await this.ask(name, (stream) => stream.alarm());
    life.isRinging = false;
  }

  /**
   * Time goes on from alarm to alarm until none is left.
   * @param untilMs later alarms are left alone.
   */
  async ringAll(untilMs = Infinity): Promise<void> {
    for (let rounds = 0; ; rounds += 1) {
      const due = this.names
        .map((name) => ({ name, atMs: this.host(name).alarmAtMs ?? Infinity }))
        .filter(({ atMs }) => atMs < untilMs)
        .toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) return;
      if (rounds > 10_000) throw new Error(`The alarm of ${due.name} never comes to rest.`);
      this.nowMs = Math.max(this.nowMs, due.atMs);
      await this.ring(due.name);
    }
  }

  /** All that a stream has, put together from the objects that have it. Renews nothing. */
  content(name: string): Result<{ bytes: Bytes; lineage: Lineage }> {
    const facts = this.stream(name).head();
    if (!facts.ok) return facts;
    const { lineage, tail } = facts;
    const base = lineage.ancestors.at(-1)?.to ?? 0;
    const own = { name, incarnation: lineage.incarnation, from: base, to: tail };
    const pieces: Bytes[] = [];
    for (const { name: owner, ...range } of [...inheritedStretches(lineage, 0, base), own]) {
      for (let from = range.from; from < range.to; from += pieces.at(-1)?.length ?? 0) {
        const page = this.stream(owner).page({ ...range, from, paging: "bytes" });
        if (!page.ok) return page;
        const bytes = this.bytesOf(page);
        if (bytes.length === 0) throw new Error(`${owner} has a hole at ${from}.`);
        pieces.push(bytes);
      }
    }
    return { ok: true, bytes: concatBytes(pieces), lineage };
  }

  /** What a stream of this lineage must have, from the record of all that was ever written. */
  expectedContent(name: string, lineage: Lineage): Bytes {
    const base = lineage.ancestors.at(-1)?.to ?? 0;
    const own = { name, incarnation: lineage.incarnation, from: base, to: Infinity };
    return concatBytes(
      [...inheritedStretches(lineage, 0, base), own].flatMap(({ name: owner, incarnation, from, to }) => {
        const written = this.#written.get(`${owner} ${incarnation}`) ?? new Map<number, Bytes>();
        return [...written].map(([at, bytes]) => bytes.subarray(Math.max(0, from - at), Math.max(0, to - at)));
      }),
    );
  }

  /** The name of the stream that one was forked from. */
  sourceOf(name: string): string | undefined {
    const { database } = this.host(name);
    if (database.all("SELECT 1 FROM sqlite_master WHERE name = 'stream'").length === 0) return undefined;
    const [row] = database.all<{ source: string | null }>("SELECT origin ->> 'source' AS source FROM stream");
    return row?.source ?? undefined;
  }

  /** Tables of an object, the alarm included: none is what a stream that is gone must leave. */
  leftovers(name: string): string[] {
    const { database, alarmAtMs } = this.host(name);
    const tables = database.all<{ name: string }>("SELECT name FROM sqlite_master").map((row) => row.name);
    return alarmAtMs === undefined ? tables : [...tables, "alarm"];
  }

  #life(name: string): Life {
    let life = this.#lives.get(name);
    if (life === undefined) {
      life = this.#boot(name);
      this.#lives.set(name, life);
    }
    return life;
  }

  #boot(name: string): Life {
    const base = this.host(name);
    const { promise: crashed, reject } = Promise.withResolvers<never>();
    crashed.catch(() => undefined);
    const host: StreamHost = {
      name,
      database: this.#recording(name, base.database),
      readers: base.readers,
      segments: this.segments && this.#storeOf(() => life, this.segments),
      report: (message, error) => base.report(message, error),
      databaseBytes: () => 0,
      now: () => this.nowMs,
      newId: () => base.newId(),
      random: () => base.random(),
      sync: () => this.#hold(life),
      purge: async () => {
        await base.purge();
        await this.#hold(life);
      },
      setAlarm: (atMs) => base.setAlarm(atMs),
      clearAlarm: () => base.clearAlarm(),
      peer: (to) => this.#peer(life, to),
    };
    const stream = new Stream(host, this.#limits);
    const crash = (): void => reject(new Lost("The object crashed."));
    const life: Life = { stream, crashed, crash, isOver: false, isRinging: false };
    return life;
  }

  #peer(from: Life, to: string): PeerApi {
    const call = async <Answer>(
      method: string,
      invoke: (peer: Stream) => Promise<Answer> | Answer,
    ): Promise<Answer> => {
      this.calls.push({ to, method });
      // A message may arrive although its sender is gone by then.
      const fate = await this.#fate(undefined);
      if (fate === "late") void this.#arriveLate(to, invoke);
      if (fate !== "arrives") throw new Lost("The request was lost.");
      const answer = await this.ask(to, invoke);
      if ((await this.#fate(from)) !== "arrives") throw new Lost("The answer was lost.");
      return answer;
    };
    const alive = async <Answer>(answer: Promise<Answer>): Promise<Answer> => {
      try {
        return await answer;
      } finally {
        if (from.isOver) await NEVER;
      }
    };
    return peerOf(() => ({
      page: (command) => alive(call("page", (peer) => peer.page(command))),
      pin: (command) => alive(call("pin", (peer) => peer.pin(command))),
      release: (forkId) => alive(call("release", (peer) => peer.release(forkId))),
    }));
  }

  async #arriveLate(to: string, invoke: (peer: Stream) => unknown): Promise<void> {
    if ((await this.#fate(undefined)) !== "arrives") return;
    await this.ask(to, async (peer) => invoke(peer)).catch(ignoreLost);
  }

  /** The bytes of a page: cold ones by the documented format alone. */
  bytesOf({ page, cold }: PageFacts): Bytes {
    if (cold.length === 0) return page;
    return concatBytes(
      cold.flatMap((slice) => {
        const { from, to } = slice;
        return this.#blocksOf(slice).map(({ at, payload }) =>
          payload.subarray(Math.max(0, from - at), Math.max(0, to - at)),
        );
      }),
    );
  }

  /** Whether a page begins where an append ended; the object has looked at that already unless it is cold. */
  beginsAtBoundary({ cold: [slice] }: PageFacts): boolean {
    const block = slice && this.#blocksOf(slice)[0];
    if (slice === undefined || block === undefined) return true;
    return slice.from === block.at ? !block.continued : block.ends.includes(slice.from - block.at);
  }

  #blocksOf({ key, offset, end, position }: PageFacts["cold"][number]): (StoredBlock & { readonly at: number })[] {
    const object = this.segments?.objects.get(key);
    if (object === undefined) throw new Error(`The object ${key} is missing.`);
    let at = position;
    return blocksIn(object.slice(offset, end)).map((block) => {
      const found = { ...block, at };
      at += block.payload.length;
      return found;
    });
  }

  /** An upload arrives in whole or not at all, also when its sender is gone by then; but not after a long time. */
  #storeOf(lifeOf: () => Life, store: FakeSegmentStore): SegmentStore {
    const call = async <Answer>(method: string, invoke: () => Promise<Answer>): Promise<Answer> => {
      const life = lifeOf();
      const sentAtMs = this.nowMs;
      this.calls.push({ to: "R2", method });
      try {
        const fate = await this.#fate(undefined);
        const isInTime = (): boolean => this.nowMs - sentAtMs <= UPLOAD_MS_MAX;
        if (fate === "late") void this.#fate(undefined).then(() => (isInTime() ? invoke() : undefined));
        if (fate !== "arrives" || !isInTime()) throw new Lost("The request was lost.");
        const answer = await invoke();
        if ((await this.#fate(undefined)) !== "arrives") throw new Lost("The answer was lost.");
        return answer;
      } finally {
        if (life.isOver) await NEVER;
      }
    };
    return {
      put: async (key, size, pieces, signal) => {
        const body: Bytes[] = [];
        for await (const piece of pieces) body.push(piece);
        return call("put", () => store.put(key, size, each(body), signal));
      },
      get: (key, offset, length) => store.get(key, offset, length),
      list: (prefix) => call("list", () => store.list(prefix)),
      delete: (keys) => call("delete", () => store.delete(keys)),
    };
  }

  async #hold(owner: Life): Promise<void> {
    await this.#fate(owner);
    if (owner.isOver) await NEVER;
  }

  #fate(owner: Life | undefined): Promise<Fate> {
    if (!this.isHeld) return Promise.resolve("arrives");
    return new Promise((release) => this.#held.push({ owner, release }));
  }

  /** Takes down what is written, beside writing it. */
  #recording(name: string, database: Database): Database {
    const record = (sql: string, params: readonly SqlValue[]): void => {
      if (!sql.startsWith("INSERT INTO log")) return;
      const row = database.all<{ incarnation: number }>("SELECT incarnation FROM stream")[0];
      const key = `${name} ${row?.incarnation}`;
      const [position, , , bytes] = params as [number, number, string | null, Bytes];
      const written = this.#written.get(key) ?? new Map<number, Bytes>();
      if (bytes.length > 0) this.#written.set(key, written.set(position, bytes.slice()));
    };
    return {
      all: (sql, ...params) => database.all(sql, ...params),
      run: (sql, ...params) => {
        database.run(sql, ...params);
        record(sql, params);
      },
      transaction: (work) => database.transaction(work),
    };
  }
}

/** Something goes wrong with one of two objects that take part in an operation, or between them. */
export async function befall(
  world: StreamWorld,
  mishap: Interruption["mishap"],
  names: { readonly it: string; readonly source: string | undefined },
): Promise<void> {
  if (mishap === "message lost") return world.release(0, "lost");
  if (mishap === "message late") return world.release(0, "late");
  if (mishap !== "its source crashes") world.crash(names.it);
  if (mishap !== "it crashes" && names.source !== undefined) world.crash(names.source);
  world.nowMs += RESTART_MS;
  await settled();
}

function ignoreLost(error: unknown): void {
  if (!(error instanceof Lost)) throw error;
}

interface StoredBlock {
  readonly continued: boolean;
  readonly ends: readonly number[];
  readonly payload: Bytes;
}

/** Blocks that lie one behind the other. */
function blocksIn(bytes: Bytes): StoredBlock[] {
  const blocks: StoredBlock[] = [];
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, at);
    const count = view.getUint32(60);
    const start = at + 64 + 4 * count;
    const ends = Array.from({ length: count }, (_, index) => view.getUint32(64 + 4 * index));
    at = start + view.getUint32(56);
    blocks.push({ continued: (view.getUint32(36) & 1) !== 0, ends, payload: bytes.subarray(start, at) });
  }
  return blocks;
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

/** When nothing goes on any more by itself. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

export function codeOf(result: { readonly ok: true } | { readonly ok: false; readonly problem: Problem }): string {
  return result.ok ? "ok" : result.problem.code;
}
