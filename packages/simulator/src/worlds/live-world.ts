/**
 * One stream with live readers that share a hub, over a network with delays. A reader is a client of the edge's own code: it
 * reads, waits, and goes on at its offset when a response ends. Its request's context can die without a word, as contexts of
 * Workers do: then its timers do not fire, its calls are not answered, and nothing arrives on its channel.
 *
 * Everything is driven by timers, which the test fakes.
 */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { CLOSE_GONE, decodeFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { ProjectLimits } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { AttachResult, PageCommand, ReadCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { appendOf, createOf, newHost, streamOn, type Host } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { SharedReads } from "@durable-streams-cloudflare/http/client/shared-reads";
import { StreamClient } from "@durable-streams-cloudflare/http/client/stream-client";
import type { Exchange } from "@durable-streams-cloudflare/http/exchange";
import { createHubs } from "@durable-streams-cloudflare/http/live/create-hubs";
import type { HubClock } from "@durable-streams-cloudflare/http/live/hub-member";
import type { LiveHubs } from "@durable-streams-cloudflare/http/live/live-hubs";
import { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import type { Attachment, ReaderChannel, ReaderEvents, StreamObjects } from "@durable-streams-cloudflare/http/ports";
import { offsetAt, type OffsetRef, type Result } from "@durable-streams-cloudflare/protocol";
import type { FakeSocket } from "@durable-streams-cloudflare/testkit/node-host";

const NAME = "project/stream";
const DELAY_MS_MAX = 20;

/** The context of one request. */
export class Context {
  isAlive = true;
  /** The runtime ends what a dead context has open. */
  readonly open = new Set<() => void>();
  /** Tells the request that its client has gone away. */
  readonly abort = new AbortController();

  die(): void {
    this.isAlive = false;
    for (const close of this.open) close();
  }

  /** Resolves as the work does, unless the context has died by then: then never. */
  async io<Value>(work: () => Value, delayMs: number): Promise<Value> {
    await this.#pass(delayMs);
    const value = work();
    await this.#pass(delayMs);
    return value;
  }

  get clock(): HubClock {
    return {
      // Who is dead sees no time.
      now: () => (this.isAlive ? performance.now() : Number.NaN),
      after: (ms, work) => {
        const timer = setTimeout(() => this.isAlive && work(), ms);
        return () => clearTimeout(timer);
      },
    };
  }

  async #pass(ms: number): Promise<void> {
    await new Promise((resolve) => void setTimeout(resolve, ms));
    if (!this.isAlive) await new Promise(() => undefined);
  }
}

export class LiveWorld {
  readonly host: Host = newHost(NAME);
  readonly liveReads = new LiveReads();
  readonly hubs: LiveHubs<Exchange>;
  /** Attachments that the object was asked for. */
  attachments = 0;
  /** Reads that the object was asked for. */
  reads = 0;
  #stream: Stream;
  #isWritable = true;
  readonly #channels = new Set<WorldChannel>();
  readonly #random: () => number;
  readonly #contexts = new WeakMap<Exchange, Context>();
  readonly #vars: Readonly<Record<string, string>>;

  /** @param random at least 0, less than 1. */
  constructor(random: () => number, vars: Readonly<Record<string, string>> = {}) {
    this.#random = random;
    this.#vars = vars;
    this.#stream = streamOn(this.host);
    const clockOf = (exchange: Exchange): HubClock => this.#contexts.get(exchange)?.clock ?? NO_CLOCK;
    this.hubs = createHubs(parseConfig(vars), this.liveReads, clockOf);
  }

  /** All that was appended. */
  content = "";
  /** Of the stream that was created. */
  offsetOfStart = "";
  /** The limits of the readers' project. */
  limits: ProjectLimits | undefined;
  #holdsFrames = false;
  /** Whether the object sends the ranges of commits only, as it does where commits and readers are many. */
  sendsRanges = false;
  /** The positions at which commits begin of which ranges are sent. */
  readonly #ranges = new Set<number>();

  get isOpen(): boolean {
    return this.#isWritable;
  }

  get sockets(): number {
    return this.host.readers.count();
  }

  async create(more: Parameters<typeof createOf>[0] = {}): Promise<void> {
    const result = await this.#stream.create(createOf(more));
    if (!result.ok) throw new Error(result.problem.detail);
    this.offsetOfStart = this.offsetAt(0);
  }

  /** What the object sends stays under way. */
  holdFrames(): void {
    this.#holdsFrames = true;
  }

  releaseFrames(): void {
    this.#holdsFrames = false;
    this.#send();
  }

  offsetAt(position: number): string {
    const head = this.#stream.head();
    if (!head.ok) throw new Error(head.problem.code);
    return offsetAt(head.lineage, position);
  }

  /** Appends, and tells the isolate as the edge does, if the append came through it. */
  async append(text: string, isThroughIsolate = true): Promise<void> {
    if (!this.#isWritable) return;
    if (this.sendsRanges) this.#ranges.add(this.content.length);
    const result = await this.#stream.append(appendOf(text));
    if (!result.ok) throw new Error(result.problem.code);
    this.content += text;
    this.#send();
    if (!isThroughIsolate) return;
    this.hubs.acknowledge(NAME, result.lineage.incarnation, result.tail, result.closed);
  }

  async close(): Promise<void> {
    if (!this.#isWritable) return;
    this.#isWritable = false;
    const result = await this.#stream.append(appendOf("", { close: true }));
    if (result.ok) this.hubs.acknowledge(NAME, result.lineage.incarnation, result.tail, true);
    this.#send();
  }

  async remove(): Promise<void> {
    this.#isWritable = false;
    await this.#stream.remove();
    this.hubs.doubt(NAME);
    this.#send();
  }

  /** The object leaves memory. @param losesChannels whether its channels do not survive that. */
  restart(losesChannels: boolean): void {
    this.#stream = streamOn(this.host);
    if (losesChannels) for (const channel of this.#channels) channel.break();
  }

  /** The context of a reader that reads at the edge. */
  exchange(context: Context, url: string): Exchange {
    const stream = new StreamClient(this.#objects(context), NAME);
    const exchange = {
      request: {
        method: "GET",
        url,
        headers: new Headers(),
        signal: context.abort.signal,
        body: null,
        bodyUsed: false,
      },
      config: parseConfig({ LOG_LEVEL: "off", ...this.#vars }),
      stream,
      reads: new SharedReads(false),
      liveReads: this.liveReads,
      hubs: this.hubs,
      keepAlive: () => undefined,
      segments: undefined,
      granted: { ok: true, isPublic: true, ...(this.limits === undefined ? {} : { limits: this.limits }) },
    } as unknown as Exchange;
    this.#contexts.set(exchange, context);
    return exchange;
  }

  #objects(context: Context): StreamObjects {
    const call = <Value>(work: () => Value): Promise<Value> => context.io(work, this.#delayMs());
    const stub = {
      head: () => call(() => this.#stream.head()),
      read: (command: ReadCommand) => call(() => this.#counted(() => this.#stream.read(command))),
      page: (command: PageCommand) => call(() => this.#counted(() => this.#stream.page(command))),
    };
    const attach = (_: string, from: OffsetRef, admission: ReaderAdmission) =>
      call(() => this.#attach(context, from, admission));
    return { getByName: () => stub, attach, idOf: () => NAME } as unknown as StreamObjects;
  }

  #counted<Value>(work: () => Value): Value {
    this.reads += 1;
    return work();
  }

  #attach(context: Context, from: OffsetRef, admission: ReaderAdmission): Attachment | Promise<Attachment> {
    this.attachments += 1;
    const stream = this.#stream;
    const attach = (): Attachment => this.#attachNow(context, stream.attach(from, admission));
    return admission.isLimited ? stream.readerSlots[admission.budget].letIn(attach) : attach();
  }

  #attachNow(context: Context, result: Result<AttachResult>): Attachment {
    if (!result.ok) return result;
    if (result.status !== "live") return { ok: true, result, channel: undefined };
    if (!context.isAlive) throw new Error("Nobody hears this.");
    const socket = this.host.attach(result.position);
    const channel = new WorldChannel(socket, context, this.#ranges, () => {
      this.#channels.delete(channel);
      this.host.detach(socket);
    });
    this.#channels.add(channel);
    context.open.add(() => channel.close());
    return { ok: true, result, channel };
  }

  /** What the object has sent is under way. */
  #send(): void {
    if (this.#holdsFrames) return;
    for (const channel of this.#channels) setTimeout(() => channel.deliver(), this.#delayMs());
  }

  #delayMs(): number {
    return Math.floor(this.#random() * DELAY_MS_MAX);
  }
}

const NO_CLOCK: HubClock = { now: () => Number.NaN, after: () => () => undefined };

/** A channel between the object and one context. */
class WorldChannel implements ReaderChannel {
  readonly #socket: FakeSocket;
  readonly #context: Context;
  readonly #ranges: ReadonlySet<number>;
  readonly #onClosed: () => void;
  #events: ReaderEvents | undefined;
  #isOpen = true;
  #isBroken = false;
  #delivered = 0;

  constructor(socket: FakeSocket, context: Context, ranges: ReadonlySet<number>, onClosed: () => void) {
    this.#ranges = ranges;
    this.#socket = socket;
    this.#context = context;
    this.#onClosed = onClosed;
  }

  listen(events: ReaderEvents): void {
    this.#events = events;
    if (this.#isBroken) this.break();
    else this.deliver();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#onClosed();
  }

  /** Both ends lose it. */
  break(): void {
    this.#isBroken = true;
    if (this.#events !== undefined) this.#end("lost");
  }

  deliver(): void {
    const { messages, closed } = this.#socket;
    if (this.#events === undefined) return;
    while (this.#isOpen && this.#delivered < messages.length) {
      const frame = decodeFrame(messages[this.#delivered] as ArrayBuffer);
      this.#delivered += 1;
      if (frame === undefined) continue;
      const isRange = frame.bytes.length > 0 && this.#ranges.has(frame.from);
      this.#events.onFrame(isRange ? { ...frame, bytes: new Uint8Array() } : frame);
    }
    if (closed !== undefined) this.#end(closed.code === CLOSE_GONE ? "gone" : "lost");
  }

  #end(reason: "gone" | "lost"): void {
    if (!this.#isOpen) return;
    this.close();
    if (this.#context.isAlive) this.#events?.onEnd(reason);
  }
}
