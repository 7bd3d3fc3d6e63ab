/**
 * One SSE response. It is always in one of two modes:
 *
 * - catching up: reads pages from the object, as fast as the client takes them;
 * - live: passes on what the channel delivers.
 *
 * It goes from catching up to live when it stands at the tail, and back whenever the channel is lost, skips something,
 * or delivers more than the client takes. So a slow client costs a bounded buffer here and nothing in the object, and a
 * restart of the object is not seen by the client at all.
 */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { SingleFlight } from "@durable-streams-cloudflare/core/kit/single-flight";
import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import {
  HEARTBEAT,
  problemEvent,
  refAt,
  type Lineage,
  type OffsetRef,
  type Problem,
} from "@durable-streams-cloudflare/protocol";

import { PushedBody, type PieceSink } from "../answers/pushed-body.ts";
import type { Reading } from "../client/paging.ts";
import type { Exchange } from "../exchange.ts";
import type { ReaderChannel } from "../ports.ts";
import { CatchUp } from "./catch-up.ts";
import { watchRight } from "./right-watch.ts";
import { NOT_ENCODABLE, SseEncoder, type Encoded, type StreamStatus } from "./sse-encoder.ts";
import type { SseForm } from "./sse-form.ts";

/** Clients give up on SSE after three responses shorter than a second, so none is, unless the stream is closed. */
const SESSION_MS_MIN = 1_000;
/** Losing the channel this often in a row means that the object is not coming back soon. */
const LOSSES_MAX = 8;
const LOSS_DELAY_MS = 25;

/** Bytes of a commit that is sent in one write, as it came. A larger one is dropped, and read again page by page. */
const FRAME_BYTES_MAX = 1024 * 1024;

const encoder = new TextEncoder();
const heartbeat = encoder.encode(HEARTBEAT);

const TOKEN_EXPIRED: Problem = {
  code: "token-expired",
  detail: "The token has expired.",
  hint: "Get a new token and continue reading from the last offset.",
};
const STREAM_GONE: Problem = { code: "stream-not-found", detail: "The stream was deleted or has expired." };

/** How a session starts: at the tail with a channel, or behind the tail with a first read. */
export interface SessionStart {
  readonly channel: ReaderChannel | undefined;
  readonly reading: Reading | undefined;
  readonly form: SseForm;
}

/** The session behind one SSE response, whose `body` it produces. */
export class SseSession {
  readonly body: PushedBody;
  readonly #exchange: Exchange;
  readonly #lineage: Lineage;
  readonly #encoder: SseEncoder;
  readonly #openedAtMs = Date.now();
  #heartbeatTimer: ReturnType<typeof setInterval> | null = null;
  #endTimer: ReturnType<typeof setTimeout> | null = null;
  readonly #onAbort = (): void => this.#release();
  #forget: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #sink: PieceSink | undefined;
  #channel: ReaderChannel | undefined;
  #mode: "catching-up" | "live" | "ending" | "over" = "catching-up";
  /** Up to here everything has been handed on. */
  #position: number;
  readonly #catchingUp = new SingleFlight<void>(1);
  #losses = 0;
  readonly #pages: CatchUp;
  /** The session's time is over, and only the event that has begun keeps it. */
  #due: { readonly problem: Problem | undefined } | undefined;

  constructor(exchange: Exchange, result: AttachResult, start: SessionStart, clientCursor: string | null) {
    const { channel, reading, form } = start;
    this.#pages = new CatchUp(exchange, result, reading);
    this.#exchange = exchange;
    this.#lineage = result.lineage;
    this.#position = result.position;
    this.#encoder = new SseEncoder(result, form, clientCursor);
    this.#channel = channel;
    this.body = new PushedBody(
      {
        start: (sink) => this.#start(sink, result, channel),
        pull: () => (this.#mode === "catching-up" ? this.#catchUp() : undefined),
        cancel: () => this.#release(),
      },
      exchange.config.sseBufferBytesMax,
    );
  }

  #start(sink: PieceSink, result: AttachResult, channel: ReaderChannel | undefined): void {
    this.#sink = sink;
    // First of all: workerd may pull as soon as something is sent, and must not find a reader that has to catch up.
    if (result.status !== "behind") this.#mode = "live";
    const { config, granted, liveReads, request } = this.#exchange;
    const grantedMs = granted.expiresAtMs === undefined ? Infinity : granted.expiresAtMs - this.#openedAtMs;
    const sessionMs = Math.max(SESSION_MS_MIN, Math.min(config.sseSessionSeconds * 1000, grantedMs));
    this.#heartbeatTimer = setInterval(() => this.#beat(), config.sseHeartbeatSeconds * 1000);
    const problem = grantedMs <= sessionMs ? TOKEN_EXPIRED : undefined;
    this.#endTimer = setTimeout(() => this.#fallDue(problem), sessionMs);
    this.#forget = liveReads.begin(() => this.#endSoon());
    this.#unwatch = watchRight(this.#exchange, ({ problem }) => this.#onRevoked(problem));
    request.signal.addEventListener("abort", this.#onAbort);
    if (result.status === "ended") this.#sendEnd(result.position);
    if (result.status === "live" && channel !== undefined) {
      this.#send(this.#encoder.control({ position: result.position, upToDate: true, closed: false }));
      this.#goLive(channel);
    }
  }

  /** One run at a time; it is started by the client's demand, and by the loss of the channel. */
  #catchUp(): Promise<void> {
    return this.#catchingUp.run("", () =>
      // A failure to read shows in the body: the client sees a broken response and resumes.
      this.#catchUpLoop().catch((error: unknown) => this.#fail(error)),
    );
  }

  async #catchUpLoop(): Promise<void> {
    while (this.#mode === "catching-up" && this.#hasCapacity()) await this.#readOn();
  }

  /** A client that is cut off resumes from the last `control`: inside an append only where a JSON message ends. */
  async #readOn(): Promise<void> {
    const page = await this.#pages.next(this.#position);
    if (this.#mode !== "catching-up") return;
    if (!page.ok) return this.#finishLate(page.problem);
    this.#losses = 0;
    this.#position += page.bytes.length;
    const wasInEvent = this.#encoder.isInEvent;
    if (!page.isEnd) {
      if (this.#bring(this.#encoder.part(page.bytes, this.#position), wasInEvent)) this.#endIfDue();
      return;
    }
    const upToDate = this.#position === page.tail;
    const status = { position: this.#position, upToDate, closed: upToDate && page.closed };
    const hasContent = wasInEvent || page.bytes.length > 0 || status.closed;
    const encoded = hasContent ? this.#encoder.batch(page.bytes, status) : undefined;
    if (this.#bring(encoded, wasInEvent)) await this.#endBatch(status);
  }

  #endIfDue(): void {
    if (this.#due !== undefined && !this.#encoder.isInEvent) this.#finish(this.#due.problem);
  }

  async #endBatch({ upToDate, closed }: StreamStatus): Promise<void> {
    if (closed) this.#finish();
    else if (this.#due !== undefined) this.#finish(this.#due.problem);
    else if (upToDate) await this.#attach();
  }

  async #attach(): Promise<void> {
    const attached = await this.#exchange.stream.attach(this.#offset(), this.#exchange.granted);
    if (!attached.ok) return this.#finishLate(attached.problem);
    // Behind, or closed, in the meantime: the next pass reads it.
    if (attached.channel === undefined) return;
    if (this.#mode === "catching-up") this.#goLive(attached.channel);
    else attached.channel.close();
  }

  #offset(): OffsetRef {
    return refAt(this.#lineage, this.#position);
  }

  #goLive(channel: ReaderChannel): void {
    this.#mode = "live";
    this.#channel = channel;
    channel.listen({
      onFrame: (frame) => this.#onFrame(frame),
      onEnd: (reason) => (reason === "gone" ? this.#finishLate(STREAM_GONE) : void this.#onLost()),
    });
  }

  #onFrame(frame: LiveFrame): void {
    if (this.#mode !== "live") return;
    const isBetterRead = frame.bytes.length > FRAME_BYTES_MAX || this.#encoder.isBetterRead(frame.bytes);
    if (frame.from !== this.#position || isBetterRead) return this.#fallBehind();
    this.#losses = 0;
    this.#position = frame.to;
    const status = { position: frame.to, upToDate: true, closed: frame.closed };
    const events = this.#encoder.commit(this.#exchange.stream.objectName, frame.from, frame.bytes, status);
    if (!this.#bring(events, false)) return;
    if (frame.closed) this.#finish();
    else if (!this.#hasCapacity()) this.#fallBehind();
  }

  async #onLost(): Promise<void> {
    this.#losses += 1;
    if (this.#losses > LOSSES_MAX) return this.#finishLate();
    await wait(LOSS_DELAY_MS * this.#losses);
    if (this.#mode === "live") this.#fallBehind();
  }

  #fallBehind(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#mode = "catching-up";
    void this.#catchUp();
  }

  #hasCapacity(): boolean {
    return (this.#sink?.desiredSize ?? 0) > 0;
  }

  #send(events: Uint8Array): void {
    if (this.#mode !== "over") this.#sink?.enqueue(events);
  }

  /** @returns whether the session goes on: what it cannot carry is the next session's, which begins with it. */
  #bring(encoded: Encoded, isInEvent: boolean): boolean {
    if (encoded === NOT_ENCODABLE && isInEvent) this.#fail(new Error("An append to a text stream is not valid text."));
    else if (encoded === NOT_ENCODABLE) this.#finishLate();
    else if (encoded !== undefined) this.#send(encoded);
    return encoded !== NOT_ENCODABLE;
  }

  #sendEnd(position: number): void {
    this.#send(this.#encoder.control({ position, upToDate: true, closed: true }));
    this.#finish();
  }

  /** Besides keeping the connection open, this is how a client that went away is noticed at all. */
  #beat(): void {
    if (this.#hasCapacity() && !this.#encoder.isInEvent) this.#send(heartbeat);
  }

  /** An event that has begun is completed, or a client slower than a session would never get past it. */
  #fallDue(problem: Problem | undefined): void {
    if (!this.#encoder.isInEvent) this.#finish(problem);
    else this.#due = { problem };
  }

  /**
   * Ends the response between two events; the client resumes, or learns by an error what became of the stream.
   * @param problem sent in a last event, where there is one.
   */
  #finish(problem?: Problem): void {
    if (this.#mode === "over") return;
    if (problem !== undefined) this.#send(encoder.encode(problemEvent(problem)));
    this.#release();
    this.#sink?.close();
  }

  #finishLate(problem?: Problem): void {
    if (this.#mode === "over") return;
    this.#mode = "ending"; // Nothing more is read; the session only waits to be long enough.
    this.#channel?.close();
    setTimeout(() => this.#finish(problem), this.#untilLongEnoughMs());
  }

  /** Before anything else is sent, except the rest of an event that has begun. */
  #onRevoked({ code, detail, hint }: Problem): void {
    const why = `Access to the stream has ended. ${detail}`;
    const problem = { code, detail: why, ...(hint === undefined ? {} : { hint }) };
    if (this.#encoder.isInEvent) this.#due = { problem };
    else this.#finishLate(problem);
  }

  /** The server is about to stop. */
  #endSoon(): void {
    if (this.#mode === "over") return;
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => this.#fallDue(undefined), this.#untilLongEnoughMs());
  }

  #untilLongEnoughMs(): number {
    return Math.max(0, this.#openedAtMs + SESSION_MS_MIN - Date.now());
  }

  #fail(error: unknown): void {
    if (this.#mode === "over") return;
    logFault(this.#exchange.config.logLevel, "An SSE response failed before its end.", error);
    this.#release();
    this.#sink?.error(error);
  }

  #release(): void {
    this.#mode = "over";
    this.#channel?.close();
    this.#pages.cancel();
    if (this.#heartbeatTimer !== null) clearInterval(this.#heartbeatTimer);
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#forget?.();
    this.#unwatch?.();
    this.#exchange.request.signal.removeEventListener("abort", this.#onAbort);
  }
}
