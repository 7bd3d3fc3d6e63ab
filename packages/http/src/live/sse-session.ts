/**
 * One SSE response. It is always in one of two modes:
 *
 * - catching up: reads pages from the object, as fast as the client takes them;
 * - live: passes on what the stream's hub has behind the session's position (`stream-hub.ts`).
 *
 * It goes from catching up to live when it stands where the hub can continue, and back whenever the hub no longer has what
 * comes next, or has more than the client takes. So a slow client costs a bounded buffer here and nothing in the object, and a
 * restart of the object is not seen by the client at all.
 */

import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { SingleFlight } from "@durable-streams-cloudflare/core/kit/single-flight";
import { monotonicMs, wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { HEARTBEAT, problemEvent, type Lineage, type Problem } from "@durable-streams-cloudflare/protocol";

import { PushedBody, type PieceSink } from "../answers/pushed-body.ts";
import type { Reading } from "../client/paging.ts";
import type { Exchange } from "../exchange.ts";
import { CatchUp } from "./catch-up.ts";
import type { HubMember } from "./hub-member.ts";
import type { KeptFrame } from "./recent-frames.ts";
import { watchRight } from "./right-watch.ts";
import { NOT_ENCODABLE, SseEncoder, type Encoded, type StreamStatus } from "./sse-encoder.ts";
import type { SseForm } from "./sse-form.ts";

/** Clients give up on SSE after three responses shorter than a second, so none is, unless the stream is closed. */
const SESSION_MS_MIN = 1_000;

const encoder = new TextEncoder();
const heartbeat = encoder.encode(HEARTBEAT);

const TOKEN_EXPIRED: Problem = {
  code: "token-expired",
  detail: "The token has expired.",
  hint: "Get a new token and continue reading from the last offset.",
};
const STREAM_GONE: Problem = { code: "stream-not-found", detail: "The stream was deleted or has expired." };

/** How a session starts: at the tail as a member of the stream's hub, or behind the tail with a first read. */
export interface SessionStart {
  readonly member: HubMember | undefined;
  readonly reading: Reading | undefined;
  readonly form: SseForm;
}

/** The session behind one SSE response, whose `body` it produces. */
export class SseSession {
  readonly body: PushedBody;
  readonly #exchange: Exchange;
  readonly #lineage: Lineage;
  readonly #encoder: SseEncoder;
  readonly #openedAtMs = monotonicMs();
  #heartbeatTimer: ReturnType<typeof setInterval> | null = null;
  #endTimer: ReturnType<typeof setTimeout> | null = null;
  readonly #onAbort = (): void => this.#release();
  #forget: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #sink: PieceSink | undefined;
  #member: HubMember | undefined;
  #mode: "catching-up" | "live" | "ending" | "over" = "catching-up";
  #isPaused = false;
  /** Up to here everything has been handed on. */
  #position: number;
  readonly #catchingUp = new SingleFlight<void>(1);
  readonly #pages: CatchUp;
  /** The session's time is over, and only the event that has begun keeps it. */
  #due: { readonly problem: Problem | undefined } | undefined;

  constructor(exchange: Exchange, result: AttachResult, start: SessionStart, clientCursor: string | null) {
    const { member, reading, form } = start;
    this.#pages = new CatchUp(exchange, result, reading);
    this.#exchange = exchange;
    this.#lineage = result.lineage;
    this.#position = result.position;
    this.#encoder = new SseEncoder(result, form, clientCursor);
    this.#member = member;
    this.body = new PushedBody(
      {
        start: (sink) => this.#start(sink, result),
        pull: () => (this.#mode === "catching-up" ? this.#catchUp() : undefined),
        cancel: () => this.#release(),
      },
      exchange.config.sseBufferBytesMax,
    );
  }

  #start(sink: PieceSink, result: AttachResult): void {
    this.#sink = sink;
    // First of all: workerd may pull as soon as something is sent, and must not find a reader that has to catch up.
    if (result.status !== "behind") this.#mode = "live";
    const { config, granted, liveReads, request } = this.#exchange;
    const grantedMs = granted.expiresAtMs === undefined ? Infinity : granted.expiresAtMs - wallMs();
    const sessionMs = Math.max(SESSION_MS_MIN, Math.min(config.sseSessionSeconds * 1000, grantedMs));
    this.#heartbeatTimer = setInterval(() => this.#beat(), config.sseHeartbeatSeconds * 1000);
    const problem = grantedMs <= sessionMs ? TOKEN_EXPIRED : undefined;
    this.#endTimer = setTimeout(() => this.#fallDue(problem), sessionMs);
    this.#forget = liveReads.begin(() => this.#endSoon());
    this.#unwatch = watchRight(this.#exchange, ({ problem }) => this.#onRevoked(problem));
    request.signal.addEventListener("abort", this.#onAbort);
    if (result.status === "ended") this.#sendEnd(result.position);
    if (result.status === "live" && this.#member !== undefined) {
      this.#send(this.#encoder.control({ position: result.position, upToDate: true, closed: false }));
      this.#goLive(this.#member);
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
    while (this.#mode === "catching-up" && this.#hasCapacity()) {
      if (this.#isPaused) this.#resume();
      else await this.#readOn();
    }
  }

  /** A client that is cut off resumes from the last `control`: inside an append only where a JSON message ends. */
  async #readOn(): Promise<void> {
    const page = await this.#pages.next(this.#position);
    if (this.#mode !== "catching-up") return;
    if (!page.ok) return this.#finishLate(page.problem);
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
    else if (upToDate) await this.#joinHub();
  }

  /** If the hub cannot continue here, or the stream was closed in the meantime, the next pass reads on. */
  async #joinHub(): Promise<void> {
    if (this.#member?.hub.end !== undefined) this.#leaveHub();
    this.#member ??= await this.#enter();
    const member = this.#member;
    if (this.#mode !== "catching-up") return this.#leaveHub();
    if (member?.hub.holds(this.#position) === true) this.#goLive(member);
  }

  async #enter(): Promise<HubMember | undefined> {
    const { hubs, stream, granted } = this.#exchange;
    const joined = hubs.joinRead(this.#exchange, this.#lineage.incarnation, this.#position, "session");
    if (joined?.ok === true) return joined.member;
    // Wherever the tail is by then: what lies between is read before the session goes live.
    const attached = await stream.attach({ kind: "now" }, granted);
    if (!attached.ok) this.#finishLate(attached.problem);
    else if (attached.result.lineage.incarnation !== this.#lineage.incarnation) {
      attached.channel?.close();
      this.#finishLate(STREAM_GONE);
    } else if (attached.channel !== undefined) {
      const entered = hubs.enter(this.#exchange, attached.result, attached.channel, "session");
      if (entered.ok) return entered.member;
      this.#finishLate(entered.problem);
    }
    return undefined;
  }

  #leaveHub(): void {
    this.#member?.leave();
    this.#member = undefined;
  }

  #goLive(member: HubMember): void {
    this.#mode = "live";
    void this.#follow(member).catch((error: unknown) => this.#fail(error));
  }

  /** Waits for the hub, and sends what it has. */
  async #follow(member: HubMember): Promise<void> {
    const { hub } = member;
    while (this.#mode === "live") {
      const frame = hub.after(this.#position);
      if (frame !== undefined) this.#onFrame(frame, hub.tail);
      else if (this.#position < hub.tail) this.#fallBehind();
      else if (hub.end !== undefined || member.refusal !== undefined) this.#onEnd(member);
      else await member.changed();
    }
  }

  #onFrame(frame: KeptFrame, tail: number): void {
    if (this.#encoder.isBetterRead(frame.bytes)) return this.#fallBehind();
    this.#position = frame.to;
    const status = { position: frame.to, upToDate: frame.to === tail, closed: frame.closed };
    if (!this.#bring(this.#encoder.frame(frame, status), false)) return;
    if (frame.closed) this.#finish();
    else if (!this.#hasCapacity()) this.#pause();
  }

  #onEnd({ hub, refusal }: HubMember): void {
    if (hub.end === "closed") this.#sendEnd(this.#position);
    else this.#finishLate(hub.end === "gone" ? STREAM_GONE : refusal?.problem);
  }

  #fallBehind(): void {
    this.#mode = "catching-up";
    void this.#catchUp();
  }

  /** The client takes no more for now. */
  #pause(): void {
    this.#isPaused = true;
    this.#fallBehind();
  }

  /** Often the hub still has what came meanwhile; otherwise it is read. */
  #resume(): void {
    this.#isPaused = false;
    if (this.#member?.hub.holds(this.#position) === true) this.#goLive(this.#member);
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
    this.#leaveHub();
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
    return Math.max(0, this.#openedAtMs + SESSION_MS_MIN - monotonicMs());
  }

  #fail(error: unknown): void {
    if (this.#mode === "over") return;
    logFault(this.#exchange.config.logLevel, "An SSE response failed before its end.", error);
    this.#release();
    this.#sink?.error(error);
  }

  #release(): void {
    this.#mode = "over";
    this.#leaveHub();
    this.#pages.cancel();
    if (this.#heartbeatTimer !== null) clearInterval(this.#heartbeatTimer);
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#forget?.();
    this.#unwatch?.();
    this.#exchange.request.signal.removeEventListener("abort", this.#onAbort);
  }
}
