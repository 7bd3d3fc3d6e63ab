/** GET [PROTOCOL §5.6]: query → what is asked for, facts → response. */

import {
  framingOf,
  HEADER,
  offsetAt,
  parseOffset,
  refuse,
  type OffsetRef,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { HeadFacts, ReadFacts } from "../../stream/commands.ts";
import { NO_STORE, readCacheControl } from "../cache-control.ts";
import type { Exchange } from "../exchange.ts";
import { nextPage } from "../paging.ts";
import { emptyBody, toBody } from "./payload.ts";

export type LiveMode = "long-poll" | "sse";

export interface ReadQuery {
  readonly offset: OffsetRef;
  readonly live: LiveMode | undefined;
  /** What the client echoes; anything goes. */
  readonly cursor: string | null;
}

/** Reads `offset`, `live` and `cursor`. Other parameters belong to others (tokens, cache busters) and are left alone. */
export function parseReadQuery(url: string): Result<{ query: ReadQuery }> {
  const { searchParams } = new URL(url);
  const repeated = ["offset", "live", "cursor"].find((name) => searchParams.getAll(name).length > 1);
  if (repeated !== undefined) return refuse("parameter-invalid", `The parameter ${repeated} is there more than once.`);
  const live = searchParams.get("live");
  if (live !== null && live !== "long-poll" && live !== "sse") {
    return refuse("parameter-invalid", "live must be long-poll or sse.");
  }
  const offsetText = searchParams.get("offset");
  if (live !== null && offsetText === null) {
    return refuse("parameter-invalid", "A live read needs an offset.", {
      hint: "Use offset=-1 for all, offset=now for what comes.",
    });
  }
  const offset = parseOffset(offsetText);
  if (offset === undefined) {
    return refuse("offset-invalid", "The offset is none that this server sends.", {
      hint: "Use Stream-Next-Offset, -1 or now.",
    });
  }
  return { ok: true, query: { offset, live: live ?? undefined, cursor: searchParams.get("cursor") } };
}

/** @param cursor the `Stream-Cursor` of a live read; catch-up reads have none. */
export function readResponse(exchange: Exchange, facts: ReadFacts, query: ReadQuery, cursor?: string): Response {
  const headers = readHeaders(facts, exchange.granted.isPublic, query.offset);
  if (cursor !== undefined) headers.set(HEADER.cursor, cursor);
  if (facts.notModified) {
    headers.delete("Content-Type");
    return new Response(null, { status: 304, headers });
  }
  const framing = framingOf(facts.contentType);
  if (facts.to === facts.from) return new Response(emptyBody(framing), { headers });
  const fitsInOnePage = facts.page.length === facts.to - facts.from;
  const body = fitsInOnePage ? toBody(facts.page, framing, true, true) : pagedBody(exchange, facts);
  return new Response(body, { headers });
}

/** Headers that say where a stream stands; shared by every kind of read. */
export function standingHeaders(facts: Pick<HeadFacts, "lineage" | "tail" | "closed">, to: number): Headers {
  const headers = new Headers({ [HEADER.nextOffset]: offsetAt(facts.lineage, to) });
  if (to === facts.tail) headers.set(HEADER.upToDate, "true");
  if (to === facts.tail && facts.closed) headers.set(HEADER.closed, "true");
  return headers;
}

function readHeaders(facts: ReadFacts, isPublic: boolean, offset: OffsetRef): Headers {
  const headers = standingHeaders(facts, facts.to);
  headers.set("Content-Type", facts.contentType);
  if (offset.kind === "now") {
    headers.set("Cache-Control", NO_STORE);
    return headers;
  }
  const isFixed = offset.kind === "at" && facts.to < facts.tail;
  headers.set("Cache-Control", readCacheControl({ isPublic, isFixed }));
  headers.set("ETag", facts.etag);
  return headers;
}

/** The promised range, page by page, as fast as the client takes it and no faster. */
function pagedBody(exchange: Exchange, facts: ReadFacts): ReadableStream<Uint8Array> {
  const framing = framingOf(facts.contentType);
  const { to, stretches } = facts;
  let position = facts.from;
  let next: Uint8Array<ArrayBuffer> | undefined = facts.page;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const page = next ?? (await nextPage(exchange.stream, stretches, position));
      next = undefined;
      const isFirst = position === facts.from;
      position += page.length;
      controller.enqueue(toBody(page, framing, isFirst, position === to));
      if (position === to) controller.close();
    },
  });
}
