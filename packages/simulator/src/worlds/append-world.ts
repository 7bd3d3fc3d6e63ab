import type { AppendCommand, AppendResult } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import type { StreamHost } from "@durable-streams-cloudflare/core/stream/host";
import { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { appendOf, createOf, LIMITS, newHost, type Host } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { AppendBatcher } from "@durable-streams-cloudflare/http/client/append-batcher";
import { StreamClient } from "@durable-streams-cloudflare/http/client/stream-client";
import type { StreamObjects } from "@durable-streams-cloudflare/http/ports";
import { newRequestId } from "@durable-streams-cloudflare/http/requests/request-id";
import { kindOf, type Result } from "@durable-streams-cloudflare/protocol";
import { FakeSegmentStore } from "@durable-streams-cloudflare/testkit/node-host";

import { SimClock } from "./sim-clock.ts";

type Append = "append" | "appendAll";

/** What can happen to one call on its way. `late`: its caller takes it for lost, and it arrives after that. */
export type Fate = "arrives" | "request lost" | "answer lost" | "late";

export interface AppendWorldOptions {
  readonly isolates: number;
  readonly seed: number;
  /** How long a commit takes, in ms. */
  readonly commitMs: (nowMs: number) => number;
  readonly fate?: (random: () => number) => Fate;
  readonly limits?: Partial<typeof LIMITS>;
}

/** The object between two crashes. What an earlier instance had under way never goes on. */
interface Instance {
  readonly stream: Stream;
  readonly crashed: PromiseWithResolvers<never>;
  isOver: boolean;
  isFiring: boolean;
}

const NEVER = new Promise<never>(() => undefined);

/** What became of one append, as its client sees it. */
interface Receiver {
  readonly text: string;
  readonly outcome: "stored" | "refused" | "unknown";
}

/** More than any commit takes. */
const CREATION_MS = 5_000;
const TEXT_LENGTH = 8;
const TEXT = /.{8}/g;

/**
 * One stream, and many isolates that append to it: the real batcher, the real repeats, the real stream. Only the clock,
 * the network and the disk are played.
 */
export class AppendWorld {
  readonly clock: SimClock;
  readonly told: Receiver[] = [];
  readonly #options: AppendWorldOptions;
  /** What the object has reported. */
  readonly faults: string[] = [];
  readonly #limits: typeof LIMITS;
  readonly #host: Host = newHost();
  readonly #segments = new FakeSegmentStore();
  readonly #batchers: readonly AppendBatcher[];
  readonly #random: () => number;
  #object: Instance;
  #sent = 0;
  /** All that was ever written to the log, wherever it lies now. */
  readonly #written: string[] = [];

  constructor(options: AppendWorldOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.clock = new SimClock(this.#host.nowMs);
    this.clock.install(() => this.#random());
    this.#limits = { ...LIMITS, ...options.limits };
    this.#batchers = Array.from({ length: options.isolates }, () => new AppendBatcher(true));
    this.#object = this.#boot();
  }

  async create(): Promise<void> {
    const created = this.#object.stream.create(createOf());
    await this.clock.advance(CREATION_MS);
    await created;
  }

  get segmentCount(): number {
    return this.#segments.objects.size;
  }

  /** One append of a client at one of the isolates. */
  async append(isolate: number, producer?: AppendCommand["producer"]): Promise<void> {
    const text = String(this.#sent).padStart(TEXT_LENGTH, "0");
    this.#sent += 1;
    const command = appendOf(text, { attempt: newRequestId(), ...(producer === undefined ? {} : { producer }) });
    const objects = { getByName: () => this.#stub() } as unknown as StreamObjects;
    const client = new StreamClient(objects, this.#host.name);
    const batcher = this.#batchers[isolate % this.#batchers.length] as AppendBatcher;
    const answer = await batcher.append(client, command, () => undefined);
    this.told.push({ text, outcome: outcomeOf(answer) });
  }

  /** The object's memory is gone; what was on its way to it, or waited in it, is lost. */
  crash(): void {
    const over = this.#object;
    over.isOver = true;
    this.#object = this.#boot();
    over.crashed.reject(Object.assign(new Error("reset"), { durableObjectReset: true, remote: true }));
  }

  /** Fires the alarm if it is due, as the runtime does: never twice at a time. */
  async fireAlarmWhenDue(): Promise<void> {
    const instance = this.#object;
    if (instance.isFiring || (this.#host.alarmAtMs ?? Infinity) > Date.now()) return;
    this.#host.clearAlarm();
    instance.isFiring = true;
    await Promise.race([instance.stream.alarm(), instance.crashed.promise]).catch(() =>
      this.#host.setAlarm(Date.now() + 100),
    );
    instance.isFiring = false;
  }

  /** Until no alarm is under way: cryptography takes its own time, however quickly the clock goes on. */
  async alarmRests(): Promise<void> {
    while (this.#object.isFiring) await this.clock.advance(1);
  }

  /** What is on the disk, against what clients were told. */
  verdict(): {
    stored: number;
    twice: number;
    lost: number;
    refusedButStored: number;
    refused: number;
    unknown: number;
  } {
    const counts = new Map<string, number>();
    for (const text of this.#written) counts.set(text, (counts.get(text) ?? 0) + 1);
    const of = (outcome: Receiver["outcome"]): Receiver[] => this.told.filter((told) => told.outcome === outcome);
    return {
      stored: counts.size,
      twice: [...counts.values()].filter((count) => count > 1).length,
      lost: of("stored").filter(({ text }) => !counts.has(text)).length,
      refusedButStored: of("refused").filter(({ text }) => counts.has(text)).length,
      refused: of("refused").length,
      unknown: of("unknown").length,
    };
  }

  #boot(): Instance {
    const crashed = Promise.withResolvers<never>();
    crashed.promise.catch(() => undefined);
    const instance = { isOver: false, isFiring: false };
    return Object.assign(instance, { stream: new Stream(this.#portsOf(instance), this.#limits), crashed });
  }

  #portsOf(instance: { readonly isOver: boolean }): StreamHost {
    const { name, database, readers } = this.#host;
    const passed = async (ms: number): Promise<void> => {
      await this.clock.wait(ms);
      if (instance.isOver) await NEVER;
    };
    return {
      name,
      database: this.#recording(database),
      readers,
      segments: this.#segments,
      report: (message, error) => void this.faults.push(`${message} ${String(error)}`),
      databaseBytes: () => 0,
      now: () => Date.now(),
      notifySubscription: async () => false,
      newId: () => this.#host.newId(),
      random: () => this.#random(),
      nextTurn: () => passed(1),
      sync: () => passed(this.#options.commitMs(this.clock.nowMs)),
      purge: () => this.#host.purge(),
      setAlarm: (atMs) => this.#host.setAlarm(atMs),
      clearAlarm: () => this.#host.clearAlarm(),
      peer: (to) => this.#host.peer(to),
    };
  }

  #recording(database: Database): Database {
    return {
      all: (statement, ...params) => database.all(statement, ...params),
      run: (statement, ...params) => {
        database.run(statement, ...params);
        const bytes = params[3];
        if (!statement.text.startsWith("INSERT INTO log") || !(bytes instanceof Uint8Array)) return;
        this.#written.push(...(new TextDecoder().decode(bytes).match(TEXT) ?? []));
      },
      transaction: (work) => database.transaction(work),
      tables: database.tables,
    };
  }

  #stub(): Record<Append, (commands: never) => Promise<unknown>> {
    return {
      append: (command) => this.#send((stream) => stream.append(command)),
      appendAll: (commands) => this.#send((stream) => stream.appendAll(commands)),
    };
  }

  async #send<Value>(invoke: (stream: Stream) => Promise<Value>): Promise<Value> {
    const fate = this.#options.fate?.(this.#random) ?? "arrives";
    if (fate === "late") {
      void this.clock.wait(this.#random() * 3_000).then(() => invoke(this.#object.stream).catch(() => undefined));
    }
    await this.clock.wait(1 + this.#random() * 2);
    if (fate === "request lost" || fate === "late") throw lost();
    const { stream, crashed } = this.#object;
    const result = await Promise.race([invoke(stream), crashed.promise]);
    await this.clock.wait(1 + this.#random() * 2);
    if (fate === "answer lost") throw lost();
    return result;
  }
}

function lost(): Error {
  return Object.assign(new Error("Network connection lost."), { retryable: true });
}

function outcomeOf(answer: Result<AppendResult>): Receiver["outcome"] {
  if (answer.ok) return "stored";
  return kindOf(answer.problem).effects === "none" ? "refused" : "unknown";
}

/** The same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
