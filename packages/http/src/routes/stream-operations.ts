/** The protocol's operations on a stream [PROTOCOL §5], for requests that are already authorized. */

import { asRepeat, REPEATED_MS_MAX } from "@durable-streams-cloudflare/core/contracts/request-id";
import type { AppendCommand, ForkCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { FOREGROUND } from "@durable-streams-cloudflare/core/kit/yield";
import {
  HEADER,
  nextCursor,
  refAt,
  isPlainLine,
  kindOf,
  refuse,
  REGISTRY_STREAM,
  type ForkRequest,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import { answerNothing, type Handled } from "../answers/answer.ts";
import { warn } from "../answers/warnings.ts";
import { refuseUnauthenticated } from "../auth/authorize.ts";
import { isUser } from "../auth/token.ts";
import { readLast } from "../client/last-messages.ts";
import { startReading } from "../client/start-reading.ts";
import { appendAnswer, parseAppend, withProducerHeaders } from "../codec/append.ts";
import { createAnswer, parseCreate } from "../codec/create.ts";
import { headAnswer } from "../codec/head.ts";
import { mayBeHead, parseReadQuery, readAnswer, type ReadQuery } from "../codec/read.ts";
import type { Exchange } from "../exchange.ts";
import type { Held } from "../limits/held-bytes.ts";
import { refuseAboveLimits } from "../limits/rate-limit.ts";
import { refuseCreation } from "../limits/stream-quota.ts";
import { longPoll } from "../live/long-poll.ts";
import { eventStream, serverSentEvents } from "../live/sse.ts";
import { publicUrlOf } from "../paths/public-url.ts";
import { parseTargetPath, rawPath } from "../paths/target.ts";
import type { HttpRequest } from "../ports.ts";

function refuseRegistryWrite(): Refusal {
  return refuse("method-not-allowed", "Only the server writes to this stream.", {
    headers: { Allow: "GET, HEAD, OPTIONS" },
  });
}

/**
 * Turns a `forbidden` refusal of a producer's append into a 401. On a 403 without `Producer-Epoch`, official clients claim new
 * epochs forever.
 */
export function withoutBareForbidden(request: HttpRequest, refusal: Refusal): Refusal {
  const isProducer = request.method === "POST" && request.headers.get(HEADER.producerId) !== null;
  const isForbidden = kindOf(refusal.problem).status === 403;
  if (!isProducer || !isForbidden || refusal.problem.headers?.[HEADER.producerEpoch] !== undefined) return refusal;
  return { ok: false, problem: { ...refuseUnauthenticated().problem, detail: refusal.problem.detail } };
}

/** PUT [PROTOCOL §5.1]: creates a stream, or confirms that it exists with this configuration. */
export async function create(exchange: Exchange): Promise<Handled> {
  return writing(exchange, createHeld);
}

/** POST [PROTOCOL §5.2, §5.3]: appends to a stream, or closes it. */
export async function append(exchange: Exchange): Promise<Handled> {
  return writing(exchange, appendHeld);
}

/** Until the answer is there, the body counts among those that the isolate holds. */
async function writing(
  exchange: Exchange,
  handle: (exchange: Exchange, held: Held) => Promise<Handled>,
): Promise<Handled> {
  if (exchange.target.stream === REGISTRY_STREAM) return refuseRegistryWrite();
  const held = exchange.bodies.open();
  try {
    return await handle(exchange, held);
  } finally {
    held.release();
  }
}

async function createHeld(exchange: Exchange, held: Held): Promise<Handled> {
  const { request, config, stream } = exchange;
  if (!isPlainLine(exchange.target.objectName)) return refuseName();
  const parsed = await parseCreate(request, config, exchange.granted.defaults ?? {}, held);
  if (!parsed.ok) return parsed;
  const source = parsed.fork === undefined ? undefined : await forkSource(exchange, parsed.fork);
  if (source?.ok === false) return source;
  const command = {
    ...parsed.command,
    author: authorOf(exchange),
    ...(source === undefined ? {} : { fork: source.fork }),
  };
  const limited = refuseAppend(exchange, command.bytes.length);
  const tooMuch = limited === undefined ? undefined : await limited;
  if (tooMuch !== undefined) return tooMuch;
  const tooMany = await refuseCreation({ ...exchange, project: exchange.target.project, bytes: command.bytes.length });
  if (tooMany !== undefined) return tooMany;
  const result = await stream.call((stub, repeatedAfterMs) => stub.create(asRepeat(command, repeatedAfterMs)), {
    repeatedMsMax: REPEATED_MS_MAX,
  });
  if (!result.ok) return result;
  const answer = createAnswer(result, publicUrlOf(request, config, rawPath(request.url)));
  warn(answer.headers, result.contentType, command.bytes);
  return { ok: true, answer };
}

/** Only here: a stream that has such a name already is read, appended to and deleted. */
function refuseName(): Refusal {
  return refuse(
    "path-invalid",
    "A new stream's name must not contain control characters, line separators or text-direction marks.",
    {
      hint: "Do not use U+0080 to U+009F, U+2028 to U+202E, U+2066 to U+2069, U+200E, U+200F or U+061C.",
    },
  );
}

/** The source of a fork, which lies in the same project, and which the client must be allowed to read. */
async function forkSource(exchange: Exchange, asked: ForkRequest): Promise<Result<{ fork: ForkCommand }>> {
  const { config, request, authorize } = exchange;
  if (!asked.sourcePath.startsWith(config.streamRoot)) {
    return refuse(
      "fork-header-invalid",
      `${HEADER.forkedFrom} must be the path of a stream, beginning with ${config.streamRoot}.`,
    );
  }
  const target = parseTargetPath(asked.sourcePath, config);
  if (!target.ok) return target;
  const { project, stream, objectName } = target;
  if (project !== exchange.target.project) {
    return refuse("fork-header-invalid", "A stream can only be forked from a stream of the same project.");
  }
  if (stream === REGISTRY_STREAM) return refuse("fork-header-invalid", "This stream cannot be forked.");
  const granted = await authorize({ request, project, stream, scope: "read" });
  if (!granted.ok) return granted;
  return { ok: true, fork: { source: objectName, offset: asked.offset ?? null, subOffset: asked.subOffset } };
}

async function appendHeld(exchange: Exchange, held: Held): Promise<Handled> {
  FOREGROUND.appendStarted();
  const { request, config, stream, appends, keepAlive } = exchange;
  const parsed = await parseAppend(request, config, held);
  const hasLimit = (exchange.granted.limits?.storedBytes ?? null) !== null;
  const author = authorOf(exchange);
  const own: AppendCommand = hasLimit ? { ...parsed, isLimited: true } : parsed;
  const command: AppendCommand = author === null ? own : { ...own, author };
  const limited = refuseAppend(exchange, command.bytes.length);
  const tooMuch = limited === undefined ? undefined : await limited;
  if (tooMuch !== undefined) return tooMuch;
  const result = await appends.append(stream, command, keepAlive);
  FOREGROUND.appendFinished();
  if (result.ok) {
    exchange.hubs.acknowledge(stream.objectName, result.lineage.incarnation, result.tail, result.closed);
    const answer = appendAnswer(result);
    warn(answer.headers, command.contentType, command.bytes);
    return { ok: true, answer };
  }
  return { ok: false, problem: withProducerHeaders(result.problem, command.producer) };
}

/** The verified user, if there is one: whether that is noted is the stream's to know. */
function authorOf({ granted }: Exchange): string | null {
  const user = granted.by?.user ?? null;
  return isUser(user) ? user : null;
}

/** Counts what has been read, before it is stored. What has no bytes only closes, and is let through. */
function refuseAppend({ limiter, granted, target }: Exchange, bytes: number): Promise<Refusal | undefined> | undefined {
  return refuseAboveLimits(limiter, granted.limits, [
    { name: "streamAppendsPerMinute", whose: target.objectName, weight: Math.min(bytes, 1) },
    { name: "streamAppendBytesPerMinute", whose: target.objectName, weight: bytes },
    { name: "appendBytesPerMinute", whose: target.project, weight: bytes },
  ]);
}

/** HEAD [PROTOCOL §5.5]: describes a stream. */
export async function head(exchange: Exchange): Promise<Handled> {
  const result = await exchange.stream.call((stub) => stub.head());
  return result.ok ? { ok: true, answer: headAnswer(result) } : result;
}

/** GET [PROTOCOL §5.6 to §5.8]: a catch-up read, a long-poll or an SSE response. */
export async function read(exchange: Exchange): Promise<Handled> {
  const parsed = parseReadQuery(exchange.request.url, exchange.request.headers.get("Last-Event-ID"));
  if (!parsed.ok) return parsed;
  return parsed.query.last === undefined
    ? readFrom(exchange, parsed.query)
    : readFromLast(exchange, parsed.query, parsed.query.last);
}

/** What is answered depends on where the stream ends, like a read from `now`. */
async function readFromLast(exchange: Exchange, asked: ReadQuery, count: number): Promise<Handled> {
  const reading = await readLast(exchange, count);
  if (!reading.ok) return reading;
  const { lineage, tail, from } = reading.result;
  const query = { ...asked, offset: { kind: "now" }, namesOffset: true } as const;
  // There is nothing: what comes is waited for, and nothing of it is missed.
  if (from === tail && query.live !== undefined) return readFrom(exchange, { ...query, offset: refAt(lineage, tail) });
  if (query.live === "sse") return { ok: true, answer: eventStream(exchange, reading, query.cursor) };
  const cursor = query.live === undefined ? undefined : nextCursor(Date.now(), query.cursor);
  return { ok: true, answer: readAnswer(exchange, reading, query, cursor) };
}

async function readFrom(exchange: Exchange, query: ReadQuery): Promise<Handled> {
  if (query.live === "long-poll") return longPoll(exchange, query);
  if (query.live === "sse") return serverSentEvents(exchange, query);
  const ifNoneMatch = exchange.request.headers.get("If-None-Match");
  const asHead = mayBeHead(query) ? ({ asHead: true } as const) : {};
  const reading = await startReading(exchange, { from: query.offset, ifNoneMatch, paging: "bytes", ...asHead });
  return reading.ok ? { ok: true, answer: readAnswer(exchange, reading, query) } : reading;
}

/**
 * DELETE [PROTOCOL §5.4]. The call names the incarnation: otherwise a retry could delete a stream that was created at this URL
 * in between.
 */
export async function remove(exchange: Exchange): Promise<Handled> {
  const { target, stream } = exchange;
  if (target.stream === REGISTRY_STREAM) return refuseRegistryWrite();
  try {
    return await removeFound(exchange);
  } catch (error) {
    const discarded = await stream.discard().catch(() => undefined);
    if (discarded?.ok === false) return discarded;
    if (discarded?.wasDamaged !== true) throw error;
    const answer = answerNothing();
    answer.headers[HEADER.warning] = DAMAGED;
    return { ok: true, answer };
  } finally {
    exchange.hubs.doubt(stream.objectName);
  }
}

const DAMAGED = "stored-data-damaged; the data could not be read any more, it is deleted and the name is free";

async function removeFound({ stream }: Exchange): Promise<Handled> {
  const found = await stream.call((stub) => stub.head());
  if (!found.ok) return found;
  let lostAnswers = 0;
  const onLost = (): void => void (lostAnswers += 1);
  const removed = await stream.call((stub) => stub.remove(found.lineage.incarnation), { onLost });
  // The first try may have deleted the stream before its answer was lost.
  const wasDeletedByUs = !removed.ok && lostAnswers > 0 && GONE.has(removed.problem.code);
  if (!removed.ok && !wasDeletedByUs) return removed;
  return { ok: true, answer: answerNothing() };
}

/** What a delete is answered when it has been done before. */
const GONE: ReadonlySet<string> = new Set(["stream-not-found", "stream-deleted"]);
