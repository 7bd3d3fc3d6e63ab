/** GET [PROTOCOL §5.6]: from query to command, and from result to answer. */

import type { ReadResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import {
  framingOf,
  HEADER,
  keepsAll,
  offsetAt,
  parseOffset,
  refuse,
  spelledForReaders,
  type OffsetRef,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Answer } from "../answers/answer.ts";
import { readCacheControl } from "../answers/cache-control.ts";
import { PagedBody } from "../answers/paged-body.ts";
import type { Granted } from "../auth/authorize.ts";
import { LAST_MAX } from "../client/last-messages.ts";
import { RestOfRange, type Reading } from "../client/paging.ts";
import type { Exchange } from "../exchange.ts";
import { descriptionHeaders } from "./head.ts";
import { bodyLength, emptyBody, toBody } from "./payload.ts";

/** The value of the query parameter `live` [PROTOCOL §5.7, §5.8]. */
export type LiveMode = "long-poll" | "sse";

/** The query parameters of a read, parsed. */
export interface ReadQuery {
  readonly offset: OffsetRef;
  /** Whether the URL has an offset. Without one, a read starts at the beginning. */
  readonly namesOffset: boolean;
  readonly live: LiveMode | undefined;
  /** The cursor that the client echoes [PROTOCOL §10.1], unchecked. */
  readonly cursor: string | null;
  /** If set, the read starts with this many of the last messages. */
  readonly last: number | undefined;
  /** Whether `offset` comes from `Last-Event-ID`: an `EventSource` has reconnected with its original URL. */
  readonly isResumed: boolean;
}

/**
 * Parses the query parameters `offset`, `live`, `cursor` and `last`. Other parameters (tokens, cache busters) are ignored,
 * except those by which other servers select a part of a stream: these are refused, because the client would take the whole
 * stream for that part.
 * @param lastEventId the header `Last-Event-ID`. It counts for server-sent events only, where it is newer than the URL's
 *   offset.
 */
export function parseReadQuery(url: string, lastEventId: string | null = null): Result<{ query: ReadQuery }> {
  // To parse the whole URL takes three times as long.
  const start = url.indexOf("?");
  const parameters = new URLSearchParams(start < 0 ? "" : url.slice(start + 1));
  const repeated = ["offset", "live", "cursor", "last"].find((name) => parameters.getAll(name).length > 1);
  if (repeated !== undefined)
    return refuse("parameter-invalid", `The query parameter ${repeated} is given more than once.`);
  const wish = ["limit", "count"].find((name) => parameters.has(name));
  if (wish !== undefined) {
    return refuse("parameter-invalid", `The query parameter ${wish} is not supported.`, {
      hint: "Use last=N to read the last N messages.",
    });
  }
  const live = parameters.get("live");
  if (live !== null && live !== "long-poll" && live !== "sse") {
    return refuse("parameter-invalid", "live must be long-poll or sse.");
  }
  const isResumed = live === "sse" && lastEventId !== null && lastEventId !== "";
  const offsetText = isResumed ? lastEventId : parameters.get("offset");
  const lastText = parameters.get("last");
  if (live !== null && offsetText === null && lastText === null) {
    return refuse("parameter-invalid", "A live read requires an offset.", {
      hint: "Use offset=-1 to read everything, offset=now to read new messages only, or last=N to start with the last N messages.",
    });
  }
  if (lastText !== null && !isLast(lastText)) {
    return refuse("parameter-invalid", `last must be a whole number from 1 to ${LAST_MAX}.`);
  }
  const offset = parseOffset(offsetText);
  if (offset === undefined) {
    return refuse("offset-invalid", "The offset does not have the format of this server's offsets.", {
      hint: "Use a Stream-Next-Offset that the server returned, or -1, or now.",
    });
  }
  const cursor = parameters.get("cursor");
  // A place that is named is meant: official clients repeat their own parameters with each request.
  const last = lastText !== null && offset.kind === "start" ? Number(lastText) : undefined;
  const namesOffset = offsetText !== null;
  return { ok: true, query: { offset, namesOffset, live: live ?? undefined, cursor, last, isResumed } };
}

function isLast(text: string): boolean {
  return /^[1-9]\d{0,5}$/.test(text) && Number(text) <= LAST_MAX;
}

/**
 * Whether a read may have been sent as HEAD: caches turn HEAD into GET, and keep its URL. A HEAD names no place. Such a GET
 * also answers all that HEAD does. It renews a sliding lifetime, because nothing tells the two apart and GET must renew it.
 */
export function mayBeHead({ namesOffset, live, last }: ReadQuery): boolean {
  return !namesOffset && live === undefined && last === undefined;
}

/**
 * Encodes a read as an answer.
 * @param cursor the `Stream-Cursor` of a live read; catch-up reads have none.
 */
export function readAnswer(exchange: Exchange, reading: Reading, query: ReadQuery, cursor?: string): Answer {
  const { result } = reading;
  const headers = readHeaders(result, exchange.granted, query, cursor);
  if (mayBeHead(query)) Object.assign(headers, descriptionHeaders(result));
  if (result.notModified) {
    const { "Content-Type": _, ...ofNothing } = headers;
    return { status: 304, headers: ofNothing, body: null };
  }
  const framing = framingOf(result.contentType);
  if (result.to === result.from) return { status: 200, headers, body: emptyBody(framing) };
  const fitsInOnePage = result.page.length === result.to - result.from;
  const body = fitsInOnePage ? toBody(result.page, framing, true, true) : pagedBody(exchange, reading);
  return { status: 200, headers, body };
}

/** The headers of a read with data. */
export function readHeaders(
  result: Pick<
    ReadResult,
    "lineage" | "tail" | "closed" | "contentType" | "retention" | "earliest" | "from" | "to" | "etag"
  >,
  { isPublic, isRevocable = false }: Pick<Granted, "isPublic" | "isRevocable">,
  { offset, namesOffset }: Pick<ReadQuery, "offset" | "namesOffset">,
  cursor: string | undefined,
): Answer["headers"] {
  const { lineage, to, tail } = result;
  const headers: Answer["headers"] = {
    "Content-Type": spelledForReaders(result.contentType),
    // A stream may hold HTML; navigated to, it must not run in this origin.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": readCacheControl({
      ...result,
      isPublic,
      // What retention lets go of is not to live on in caches.
      isRevocable: isRevocable || !keepsAll(result.retention),
      offset: namesOffset ? offset : undefined,
    }),
    [HEADER.nextOffset]: offsetAt(lineage, to),
  };
  if (result.earliest > 0) headers[HEADER.earliestOffset] = offsetAt(lineage, result.earliest);
  if (to === tail) headers[HEADER.upToDate] = "true";
  if (to === tail && result.closed) headers[HEADER.closed] = "true";
  // `now` is a different place each time.
  if (offset.kind !== "now") headers["ETag"] = result.etag;
  if (cursor !== undefined) headers[HEADER.cursor] = cursor;
  return headers;
}

/** The promised range, page by page. */
function pagedBody(exchange: Exchange, reading: Reading): PagedBody {
  const { result } = reading;
  const framing = framingOf(result.contentType);
  const rest = new RestOfRange(exchange, reading);
  const { to } = result;
  let position = result.from;
  return new PagedBody({
    bytes: bodyLength(to - result.from, framing),
    next: async () => {
      if (position === to) return undefined;
      const isFirst = position === result.from;
      const page = isFirst ? result.page : await nextOf(exchange, rest, position);
      position += page.length;
      return toBody(page, framing, isFirst, position === to);
    },
    cancel: () => rest.cancel(),
    // Pages of cold segments are views of what was read from a file.
    reusesMemory: exchange.segments?.open !== undefined,
  });
}

/** What fails here fails after the response has begun, so this is the only place that can report it. */
async function nextOf({ config }: Exchange, rest: RestOfRange, position: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await rest.next(position);
  } catch (error) {
    logFault(config.logLevel, "A read failed before its end.", error);
    throw error;
  }
}
