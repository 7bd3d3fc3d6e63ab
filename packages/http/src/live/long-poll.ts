/** Long-poll [PROTOCOL §5.7]: answers with existing data, or waits in the stream's hub while the object sleeps. */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { AttachResult, HeadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import {
  framingOf,
  HEADER,
  nextCursor,
  offsetAt,
  rangeEtag,
  refAt,
  refuse,
  type OffsetRef,
  type Refusal,
} from "@durable-streams-cloudflare/protocol";

import type { Answer, Handled } from "../answers/answer.ts";
import { NO_STORE } from "../answers/cache-control.ts";
import { mayBeMessage, startReading } from "../client/start-reading.ts";
import { toBody } from "../codec/payload.ts";
import { readHeaders, readAnswer, type ReadQuery } from "../codec/read.ts";
import type { Exchange } from "../exchange.ts";
import type { Attachment } from "../ports.ts";
import type { Place } from "./live-hubs.ts";
import { watchRight } from "./right-watch.ts";

/** Pause before attaching again after the object went away. */
const REATTACH_DELAY_MS = 50;

type Waited =
  | { readonly kind: "frame"; readonly frame: LiveFrame; readonly tail: number }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** `unsure`: the time is over, and the hub may have missed something. */
  | { readonly kind: "closed" | "behind" | "gone" | "lost" | "timeout" | "unsure" };

/** What a long-poll waits for: nothing more, or the member that it waits as. */
type Begun = { readonly handled: Handled } | Place;

/** One long-poll request. */
interface Poll {
  readonly query: ReadQuery;
  readonly cursor: string;
  readonly deadlineMs: number;
}

/** Answers a long-poll request. */
export async function longPoll(exchange: Exchange, query: ReadQuery): Promise<Handled> {
  const expiresAtMs = exchange.granted.expiresAtMs ?? Infinity;
  const deadlineMs = Math.min(Date.now() + exchange.config.longPollTimeoutMs, expiresAtMs);
  const poll = { query, cursor: nextCursor(Date.now(), query.cursor), deadlineMs };
  let from: OffsetRef = query.offset;
  for (;;) {
    const begun = await begin(exchange, poll, from);
    if ("handled" in begun) return begun.handled;
    const { member, position } = begun;
    const { about } = member.hub;
    const waited = await waitForFrame(exchange, begun, deadlineMs);
    const { lineage } = about;
    // From here on the place is known, also when the client asked for `now`.
    from = refAt(lineage, position);
    switch (waited.kind) {
      case "frame":
        return { ok: true, answer: frameAnswer(exchange, { ...about, tail: waited.tail }, waited.frame, poll) };
      case "refused":
        return waited.refusal;
      case "closed":
        return { ok: true, answer: emptyAnswer({ lineage, position, closed: true }, poll.cursor) };
      case "behind":
        return readAll(exchange, poll, from);
      case "timeout":
        return { ok: true, answer: emptyAnswer({ lineage, position, closed: false }, poll.cursor) };
      case "unsure":
        return answerNow(exchange, poll, from);
      case "lost":
        await wait(REATTACH_DELAY_MS);
        break;
      // A stream that is gone is asked once more: it knows whether forks still need it.
      case "gone":
    }
  }
}

/** Joins the hub, or asks the object. */
async function begin(exchange: Exchange, poll: Poll, from: OffsetRef): Promise<Begun> {
  // Of what lies before the tail, the client may have a copy.
  const isConditional = exchange.request.headers.get("If-None-Match") !== null;
  const joined = await exchange.hubs.join(exchange, from, "poll", isConditional ? "tail" : "recent");
  if (joined !== undefined) return joined.ok ? joined : { handled: joined };
  const attached = await exchange.stream.attach(from, exchange.granted);
  if (!attached.ok || attached.result.status !== "live")
    return { handled: await answerAt(exchange, poll, from, attached) };
  const { result, channel } = attached;
  if (channel === undefined) {
    return { handled: refuse("internal", "The stream's object attached a reader without a channel.") };
  }
  const entered = exchange.hubs.enter(exchange, result, channel, "poll");
  return entered.ok ? entered : { handled: entered };
}

/** The time is over, and nobody here knows whether there is something: the object does. */
async function answerNow(exchange: Exchange, poll: Poll, from: OffsetRef): Promise<Handled> {
  const attached = await exchange.stream.attach(from, exchange.granted);
  if (attached.ok) attached.channel?.close();
  return answerAt(exchange, poll, from, attached);
}

/** Answers without waiting. */
async function answerAt(exchange: Exchange, poll: Poll, from: OffsetRef, attached: Attachment): Promise<Handled> {
  if (!attached.ok) return mayBeMessage(from, attached) ? readAll(exchange, poll, from) : attached;
  const { result } = attached;
  if (result.status !== "behind") return { ok: true, answer: emptyAnswer(result, poll.cursor) };
  return readAll(exchange, poll, from.kind === "at" ? from : refAt(result.lineage, result.position));
}

/** @param from where to read, exactly; the query may say `now`, and decides who may keep the response. */
async function readAll(exchange: Exchange, { query, cursor }: Poll, from: OffsetRef): Promise<Handled> {
  const ifNoneMatch = exchange.request.headers.get("If-None-Match");
  const reading = await startReading(exchange, { from, ifNoneMatch, paging: "bytes" });
  return reading.ok ? { ok: true, answer: readAnswer(exchange, reading, query, cursor) } : reading;
}

/** Waits in the hub until there is something behind the position, or until it is known that nothing comes in time. */
async function waitForFrame(exchange: Exchange, { member, position }: Place, deadlineMs: number): Promise<Waited> {
  const { hub } = member;
  const limits = new WaitLimits(exchange, deadlineMs, () => member.wakeUp());
  try {
    for (;;) {
      const frame = hub.allAfter(position, exchange.config.readBytesMax);
      if (frame !== undefined) return { kind: "frame", frame, tail: hub.tail };
      if (position < hub.tail) return { kind: "behind" };
      if (hub.end !== undefined) return { kind: hub.end };
      const refusal = limits.refusal ?? member.refusal;
      if (refusal !== undefined) return { kind: "refused", refusal };
      if (limits.isOver) return { kind: member.isFresh ? "timeout" : "unsure" };
      await member.changed();
    }
  } finally {
    limits.end();
    member.leave();
  }
}

/** What ends the waiting of one long-poll besides the stream itself. All of it is the request's own. */
class WaitLimits {
  isOver = false;
  refusal: Refusal | undefined;
  readonly end: () => void;

  constructor(exchange: Exchange, deadlineMs: number, onOver: () => void) {
    const { request, liveReads } = exchange;
    const onTimeout = (): void => {
      this.isOver = true;
      onOver();
    };
    const timer = setTimeout(onTimeout, Math.max(0, deadlineMs - Date.now()));
    const forget = liveReads.begin(onTimeout);
    const unwatch = watchRight(exchange, (refusal) => {
      this.refusal = refusal;
      onOver();
    });
    request.signal.addEventListener("abort", onTimeout);
    this.end = () => {
      clearTimeout(timer);
      request.signal.removeEventListener("abort", onTimeout);
      forget();
      unwatch();
    };
  }
}

/** The data of one or more commits. A close without data is the end of the stream, and has no body. */
function frameAnswer(exchange: Exchange, about: HeadResult, frame: LiveFrame, { query, cursor }: Poll): Answer {
  const etag = rangeEtag(about.lineage.incarnation, frame.from, frame.to, frame.closed);
  const read = { ...about, closed: frame.closed, from: frame.from, to: frame.to, etag };
  const headers = readHeaders(read, exchange.granted, query, cursor);
  return { status: 200, headers, body: toBody(frame.bytes.slice(), framingOf(about.contentType), true, true) };
}

/** Encodes a long-poll answer without data: nothing arrived in time, or the stream is closed. */
export function emptyAnswer(result: Pick<AttachResult, "lineage" | "position" | "closed">, cursor: string): Answer {
  const headers: Answer["headers"] = {
    "Cache-Control": NO_STORE,
    [HEADER.nextOffset]: offsetAt(result.lineage, result.position),
    [HEADER.upToDate]: "true",
    [HEADER.cursor]: cursor,
  };
  if (result.closed) headers[HEADER.closed] = "true";
  return { status: 204, headers, body: null };
}
