/** PUT [PROTOCOL §5.1]: from request to command, and from result to answer. */

import type { StreamDefaults } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { CreateCommand, CreateResult } from "@durable-streams-cloudflare/core/contracts/stream";
import {
  DEFAULT_CONTENT_TYPE,
  HEADER,
  isClosedHeader,
  isContentType,
  offsetAt,
  parseFork,
  parseLifetime,
  parseRetention,
  refuse,
  spelledForReaders,
  type ForkRequest,
  type HeaderReader,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Answer } from "../answers/answer.ts";
import { NO_STORE } from "../answers/cache-control.ts";
import type { Held } from "../limits/held-bytes.ts";
import type { HttpRequest } from "../ports.ts";
import { newRequestId } from "../requests/request-id.ts";
import { readContent, toStored, type BodyLimits } from "./payload.ts";
import { withDefaults } from "./stream-defaults.ts";

/** The fork's source is still a path here: whether the client may read it is decided before it becomes a command. */
interface ParsedCreate {
  readonly command: CreateCommand;
  readonly fork: ForkRequest | undefined;
}

/**
 * Parses a creation.
 * @param defaults of the project, for what the request does not specify. They do not apply to a fork, which takes after its
 *   source.
 */
export async function parseCreate(
  request: HttpRequest,
  limits: BodyLimits,
  defaults: StreamDefaults,
  held: Held,
): Promise<Result<ParsedCreate>> {
  const parsed = parseHeaders((name) => request.headers.get(name), defaults);
  if (!parsed.ok) return parsed;
  const { command, fork } = parsed;
  const { contentType } = command;
  const body = await readContent(request, contentType, limits, held);
  if (!body.ok) return body;
  const stored = body.bytes.length === 0 ? body : toStored(body.bytes, contentType ?? DEFAULT_CONTENT_TYPE, limits);
  // An empty array is a fine way to create an empty stream [PROTOCOL §9.1.3].
  if (!stored.ok && stored.problem.code !== "json-empty-array") return stored;
  return { ok: true, command: stored.ok ? { ...command, bytes: stored.bytes } : command, fork };
}

/** Makes the command that creates an empty stream without a PUT of its own, such as a source that a session wants created. */
export function emptyCreate(
  contentType: string | undefined,
  defaults: StreamDefaults = {},
): Result<{ command: CreateCommand }> {
  return parseHeaders((name) => (name === "Content-Type" ? (contentType ?? null) : null), defaults);
}

/** What a creation's headers say; the command has no bytes yet. */
function parseHeaders(named: HeaderReader, defaults: StreamDefaults): Result<ParsedCreate> {
  const fork = parseFork(named);
  if (!fork.ok) return refuse("fork-header-invalid", fork.detail);
  const { header, byDefault } = withDefaults(named, fork.fork === undefined ? defaults : {});
  // A fork without a content type has its source's; its body is then taken as bytes.
  const contentType = header("Content-Type") ?? (fork.fork === undefined ? DEFAULT_CONTENT_TYPE : null);
  const lifetime = parseLifetime(header);
  const retention = parseRetention(header);
  const fault = contentTypeFault(contentType);
  if (fault !== undefined) return fault;
  if (!lifetime.ok) return refuse("lifetime-invalid", lifetime.detail);
  if (!retention.ok) return refuse("retention-invalid", retention.detail);
  const recordsAuthors = parseRecordAuthor(header(HEADER.recordAuthor));
  if (recordsAuthors === undefined) return refuseRecordAuthor();
  return {
    ok: true,
    command: {
      attempt: newRequestId(),
      contentType,
      lifetime: lifetime.lifetime,
      retention: retention.retention,
      closed: isClosedHeader(header(HEADER.closed)),
      ...(recordsAuthors ? { recordsAuthors } : {}),
      ...(byDefault.length === 0 ? {} : { byDefault }),
      bytes: new Uint8Array(),
    },
    fork: fork.fork,
  };
}

/**
 * Encodes the result of a creation.
 * @param url of the stream, for `Location`.
 */
export function createAnswer(result: CreateResult, url: string): Answer {
  const headers: Answer["headers"] = {
    "Content-Type": spelledForReaders(result.contentType),
    "Cache-Control": NO_STORE,
    [HEADER.nextOffset]: offsetAt(result.lineage, result.tail),
  };
  if (result.closed) headers[HEADER.closed] = "true";
  if (result.created) headers["Location"] = url;
  return { status: result.created ? 201 : 200, headers, body: null };
}

/** @returns `undefined` for what is neither yes nor no: nobody is to believe in vain that authors are recorded. */
function parseRecordAuthor(value: string | null): boolean | undefined {
  const text = value?.toLowerCase() ?? "false";
  return text === "true" ? true : text === "false" ? false : undefined;
}

function refuseRecordAuthor(): Refusal {
  return refuse("author-invalid", `${HEADER.recordAuthor} must be true or false.`);
}

function contentTypeFault(contentType: string | null): Refusal | undefined {
  if (contentType === null || isContentType(contentType)) return undefined;
  return refuse("content-type-invalid", "Content-Type must have the form type/subtype and at most 255 characters.");
}
