/** PUT [PROTOCOL §5.1]: request → command, facts → response. */

import {
  DEFAULT_CONTENT_TYPE,
  formatOffset,
  HEADER,
  isClosedHeader,
  isContentType,
  parseLifetime,
  refuse,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { CreateCommand, CreateFacts } from "../../stream/commands.ts";
import { readBody } from "../body.ts";
import { toStored } from "./payload.ts";

export async function parseCreate(request: Request, bytesMax: number): Promise<Result<{ command: CreateCommand }>> {
  const header = (name: string): string | null => request.headers.get(name);
  const contentType = header("Content-Type") ?? DEFAULT_CONTENT_TYPE;
  const lifetime = parseLifetime(header);
  const fault = forkFault(header) ?? contentTypeFault(contentType);
  if (fault !== undefined) return fault;
  if (!lifetime.ok) return refuse("lifetime-invalid", lifetime.detail);
  const body = await readBody(request, bytesMax);
  if (!body.ok) return body;
  const stored = body.bytes.length === 0 ? body : toStored(body.bytes, contentType);
  // An empty array is a fine way to create an empty stream [PROTOCOL §9.1.3].
  if (!stored.ok && stored.problem.code !== "json-empty-array") return stored;
  const bytes = stored.ok ? stored.bytes : new Uint8Array();
  return {
    ok: true,
    command: { contentType, lifetime: lifetime.lifetime, closed: isClosedHeader(header(HEADER.closed)), bytes },
  };
}

/** @param url the stream's absolute URL. */
export function createResponse(facts: CreateFacts, url: string): Response {
  const headers = new Headers({
    "Content-Type": facts.contentType,
    "Cache-Control": "no-store",
    [HEADER.nextOffset]: formatOffset(facts.incarnation, facts.tail),
  });
  if (facts.closed) headers.set(HEADER.closed, "true");
  if (facts.created) headers.set("Location", url);
  return new Response(null, { status: facts.created ? 201 : 200, headers });
}

function contentTypeFault(contentType: string): Refusal | undefined {
  if (isContentType(contentType)) return undefined;
  return refuse("content-type-invalid", "Content-Type must be type/subtype, with at most 255 characters.");
}

function forkFault(header: (name: string) => string | null): Refusal | undefined {
  if (header(HEADER.forkedFrom) !== null) return refuse("not-implemented", "This server cannot fork streams yet.");
  if (header(HEADER.forkOffset) === null && header(HEADER.forkSubOffset) === null) return undefined;
  return refuse("fork-header-invalid", `${HEADER.forkOffset} and ${HEADER.forkSubOffset} need ${HEADER.forkedFrom}.`);
}
