/** SSE [PROTOCOL §5.8]: makes the response, and starts its session. */

import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { HEADER, nextCursor, refAt, refuse } from "@durable-streams-cloudflare/protocol";

import type { Answer, Handled } from "../answers/answer.ts";
import { EVENT_STREAM } from "../answers/cache-control.ts";
import type { Reading } from "../client/paging.ts";
import { mayBeMessage, startReading } from "../client/start-reading.ts";
import type { ReadQuery } from "../codec/read.ts";
import type { Exchange } from "../exchange.ts";
import { eventsFrom } from "./catch-up.ts";
import type { Place } from "./live-hubs.ts";
import { emptyAnswer } from "./long-poll.ts";
import { sseFormOf } from "./sse-form.ts";
import { SseSession, type SessionStart } from "./sse-session.ts";

/**
 * Answers an SSE request. A refusal is an ordinary HTTP error, because it is known before the event stream's headers are sent.
 */
export async function serverSentEvents(exchange: Exchange, query: ReadQuery): Promise<Handled> {
  const joined = await exchange.hubs.join(exchange, query.offset, "session");
  if (joined !== undefined)
    return joined.ok ? { ok: true, answer: liveAnswer(exchange, joined, query.cursor) } : joined;
  const attached = await exchange.stream.attach(query.offset, exchange.granted);
  if (!attached.ok) return mayBeMessage(query.offset, attached) ? readInside(exchange, query) : attached;
  const { result, channel } = attached;
  // An `EventSource` comes back after the end, again and again, unless this status says so.
  if (result.status === "ended" && query.isResumed) {
    return { ok: true, answer: emptyAnswer(result, nextCursor(Date.now(), query.cursor)) };
  }
  // What is wrong with a cold or inherited place is only found by reading there.
  const from = query.offset.kind === "at" ? query.offset : refAt(result.lineage, result.position);
  const reading = result.status === "behind" ? await startReading(exchange, eventsFrom(from)) : undefined;
  if (reading?.ok === false) return reading;
  if (result.status === "live") {
    if (channel === undefined) return refuse("internal", "The stream's object attached a reader without a channel.");
    const entered = exchange.hubs.enter(exchange, result, channel, "session");
    return entered.ok ? { ok: true, answer: liveAnswer(exchange, entered, query.cursor) } : entered;
  }
  // What an offset inside an append stands for is known since then.
  const position = reading?.result.from ?? result.position;
  const answer = sessionAnswer(exchange, { ...result, position }, { member: undefined, reading }, query.cursor);
  return { ok: true, answer };
}

/** Starts a session of a reader that is at the tail. */
function liveAnswer(exchange: Exchange, { member, position }: Place, cursor: string | null): Answer {
  const result = { ...member.hub.about, status: "live", position } as const;
  return sessionAnswer(exchange, result, { member, reading: undefined }, cursor);
}

/** Starts a session inside the first append of a stream, if a message ends there. */
async function readInside(exchange: Exchange, query: ReadQuery): Promise<Handled> {
  const reading = await startReading(exchange, eventsFrom(query.offset));
  return reading.ok ? { ok: true, answer: eventStream(exchange, reading, query.cursor) } : reading;
}

/** Starts a session that sends what has already been read, and continues from there. */
export function eventStream(exchange: Exchange, reading: Reading, cursor: string | null): Answer {
  const { result } = reading;
  const status = { ...result, status: "behind", position: result.from } as const;
  return sessionAnswer(exchange, status, { member: undefined, reading }, cursor);
}

function sessionAnswer(
  exchange: Exchange,
  result: AttachResult,
  start: Omit<SessionStart, "form">,
  cursor: string | null,
): Answer {
  const headers: Answer["headers"] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": EVENT_STREAM,
    // nginx and others that know this header then pass every event on at once.
    "X-Accel-Buffering": "no",
  };
  const form = sseFormOf(result.contentType, start.reading);
  if (form === "base64") headers[HEADER.sseDataEncoding] = "base64";
  return { status: 200, headers, body: new SseSession(exchange, result, { ...start, form }, cursor).body };
}
