/** Long-poll [PROTOCOL §5.7]: answers with existing data, or waits on a channel while the object sleeps. */

import type { LiveFrame } from "@durable-streams-cloudflare/core/contracts/live-frame";
import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
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
import type { ReaderChannel } from "../ports.ts";
import { watchRight } from "./right-watch.ts";

/** Pause before attaching again after the object went away. */
const REATTACH_DELAY_MS = 50;

type Waited =
  | { readonly kind: "frame"; readonly frame: LiveFrame }
  | { readonly kind: "revoked"; readonly refusal: Refusal }
  | { readonly kind: "gone" | "lost" | "timeout" };

/** Answers a long-poll request. */
export async function longPoll(exchange: Exchange, query: ReadQuery): Promise<Handled> {
  const expiresAtMs = exchange.granted.expiresAtMs ?? Infinity;
  const deadlineMs = Math.min(Date.now() + exchange.config.longPollTimeoutMs, expiresAtMs);
  const cursor = nextCursor(Date.now(), query.cursor);
  let from: OffsetRef = query.offset;
  for (;;) {
    const attached = await exchange.stream.attach(from, exchange.granted);
    if (!attached.ok) return mayBeMessage(from, attached) ? readAll(exchange, query, from, cursor) : attached;
    const { result, channel } = attached;
    if (result.status === "behind") return readAll(exchange, query, from.kind === "at" ? from : at(result), cursor);
    if (result.status === "ended") return { ok: true, answer: emptyAnswer(result, cursor) };
    if (channel === undefined) return refuse("internal", "The stream's object attached a reader without a channel.");
    const waited = await waitForFrame(exchange, channel, deadlineMs - Date.now());
    if (waited.kind === "frame")
      return { ok: true, answer: frameAnswer(exchange, result, waited.frame, query, cursor) };
    if (waited.kind === "revoked") return waited.refusal;
    if (waited.kind === "timeout") return { ok: true, answer: emptyAnswer(result, cursor) };
    // A stream that is gone is asked once more: it knows whether forks still need it.
    if (waited.kind === "lost") await wait(REATTACH_DELAY_MS);
    // From here on the place is known, also when the client asked for `now`.
    from = at(result);
  }
}

/** @param from where to read, exactly; the query may say `now`, and decides who may keep the response. */
async function readAll(exchange: Exchange, query: ReadQuery, from: OffsetRef, cursor: string): Promise<Handled> {
  const ifNoneMatch = exchange.request.headers.get("If-None-Match");
  const reading = await startReading(exchange, { from, ifNoneMatch, paging: "bytes" });
  return reading.ok ? { ok: true, answer: readAnswer(exchange, reading, query, cursor) } : reading;
}

function at({ lineage, position }: AttachResult): OffsetRef {
  return refAt(lineage, position);
}

function waitForFrame(exchange: Exchange, channel: ReaderChannel, timeoutMs: number): Promise<Waited> {
  const { request, liveReads } = exchange;
  return new Promise((resolve) => {
    const finish = (waited: Waited): void => {
      clearTimeout(timer);
      request.signal.removeEventListener("abort", onTimeout);
      forget();
      unwatch();
      channel.close();
      resolve(waited);
    };
    const onTimeout = (): void => finish({ kind: "timeout" });
    const timer = setTimeout(onTimeout, Math.max(0, timeoutMs));
    const forget = liveReads.begin(onTimeout);
    const unwatch = watchRight(exchange, (refusal) => finish({ kind: "revoked", refusal }));
    request.signal.addEventListener("abort", onTimeout);
    channel.listen({
      onFrame: (frame) => finish({ kind: "frame", frame }),
      onEnd: (kind) => finish({ kind }),
    });
  });
}

/** The data of a commit. A close without data is the end of the stream, and has no body. */
function frameAnswer(
  exchange: Exchange,
  result: AttachResult,
  frame: LiveFrame,
  query: ReadQuery,
  cursor: string,
): Answer {
  const status = { ...result, tail: frame.to, closed: frame.closed };
  if (frame.bytes.length === 0) return emptyAnswer({ ...status, position: frame.to }, cursor);
  const etag = rangeEtag(result.lineage.incarnation, frame.from, frame.to, frame.closed);
  const read = { ...status, from: frame.from, to: frame.to, etag };
  const headers = readHeaders(read, exchange.granted, query, cursor);
  return { status: 200, headers, body: toBody(frame.bytes.slice(), framingOf(result.contentType), true, true) };
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
