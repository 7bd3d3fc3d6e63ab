/**
 * Every way a request can be refused, in one table [RFC 9457]. A problem is a value: it crosses the RPC border
 * between object and edge as data, and becomes `application/problem+json` at the very edge.
 */

import { HEADER } from "./headers.ts";
import { offsetAt, type Lineage } from "./lineage.ts";

/**
 * - retry `never`: the same request will fail again; `after`: it may succeed later (see `Retry-After`);
 *   `same`: send it again at once, with the same producer headers if it had any; `with-new-token`: with a token that is
 *   newer it may succeed at once.
 * - effects `none`: nothing was stored; `unknown`: it may have been stored, so only a request with producer headers
 *   is safe to repeat.
 */
export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retry: "never" | "same" | "after" | "with-new-token";
  readonly effects: "none" | "unknown";
}

/** Alphabetical. `docs/problems.md` is generated from this table. */
export const PROBLEMS = {
  "ack-invalid": kind(409, "The offset cannot be acknowledged"),
  "author-invalid": kind(400, "The author header is malformed"),
  "body-empty": kind(400, "The body is empty"),
  "body-incomplete": kind(400, "The body is incomplete"),
  "body-timeout": kind(408, "The body took too long to arrive", "after"),
  "body-too-large": kind(413, "The body is too large"),
  "content-encoding-broken": kind(400, "The body cannot be decoded"),
  "content-encoding-unsupported": kind(415, "The content encoding is not supported"),
  "content-type-invalid": kind(400, "The content type is malformed"),
  "content-type-mismatch": kind(409, "The content type does not match the stream"),
  "content-type-missing": kind(400, "The content type is missing"),
  "estuary-full": kind(409, "The estuary has too many sources"),
  "estuary-not-found": kind(404, "The estuary does not exist"),
  "expected-offset-invalid": kind(400, "Stream-Expected-Offset is malformed"),
  "expected-offset-mismatch": kind(409, "The stream does not end at the expected offset"),
  forbidden: kind(403, "The token does not permit this operation"),
  "fork-header-invalid": kind(400, "A fork header is malformed"),
  "fork-source-deleted": kind(409, "The fork's source was deleted"),
  "fork-sub-offset-invalid": kind(400, "The fork's sub-offset is beyond the source's data"),
  "fork-too-deep": kind(400, "The chain of forks is too deep"),
  "host-refused": kind(421, "The server does not serve this host"),
  internal: kind(500, "Internal server error", "after", "unknown"),
  "json-empty-array": kind(400, "The JSON array is empty"),
  "json-invalid": kind(400, "The body is not valid JSON"),
  "lifetime-invalid": kind(400, "The lifetime is malformed"),
  "method-not-allowed": kind(405, "Method not allowed"),
  "offset-beyond-tail": kind(400, "The offset is beyond the end of the stream"),
  "offset-gone": kind(410, "The offset belongs to data that no longer exists"),
  "offset-invalid": kind(400, "The offset is malformed"),
  "offset-trimmed": kind(410, "The offset is before the earliest data of the stream"),
  "origin-refused": kind(403, "Writes from this origin are not allowed"),
  "origin-unreachable": kind(502, "The proxy could not reach the server", "after", "unknown"),
  overloaded: kind(503, "Too many requests are waiting", "after", "none"),
  "parameter-invalid": kind(400, "A query parameter is malformed"),
  "path-invalid": kind(400, "The path is malformed"),
  "path-reserved": kind(400, "This path is reserved by the protocol"),
  "path-retained": kind(409, "The path is held by forks of a deleted stream"),
  "path-too-long": kind(414, "The path is too long"),
  "producer-epoch-stale": kind(403, "A newer producer epoch exists"),
  "producer-epoch-start": kind(400, "A new producer epoch must start at sequence 0"),
  "producer-gap": kind(409, "The producer sequence has a gap"),
  "producer-headers-incomplete": kind(400, "The producer headers are incomplete"),
  "producer-headers-invalid": kind(400, "A producer header is malformed"),
  "project-exists": kind(409, "The project already exists"),
  "project-full": kind(403, "Stream quota exceeded"),
  "project-not-found": kind(404, "The project does not exist"),
  "project-readers-full": kind(503, "Live reader quota exceeded", "after"),
  "project-removing": kind(409, "The project is being removed", "after"),
  "project-storage-full": kind(507, "Storage quota exceeded", "after"),
  "proxy-required": kind(401, "Requests must come through the proxy"),
  "public-url-required": kind(400, "The server has no public URL for callbacks"),
  "rate-limited": kind(429, "Rate limit exceeded", "after"),
  "readers-full": kind(503, "The stream has too many live readers", "after"),
  "retention-invalid": kind(400, "A retention header is malformed"),
  "retention-unavailable": kind(501, "Retention is not available on this server"),
  "route-not-found": kind(404, "Route not found"),
  "secret-last": kind(409, "The last secret of a project cannot be removed"),
  "secret-not-found": kind(404, "The secret does not exist"),
  "segment-unavailable": kind(503, "Part of the stream is temporarily unreadable", "after"),
  "server-busy": kind(503, "The buffer for request bodies is full", "after"),
  "session-as-source": kind(409, "A session cannot be a source"),
  "session-expected": kind(409, "The stream is not a session"),
  "session-read-only": kind(409, "Only its sources can write to a session"),
  "settings-invalid": kind(400, "A setting is invalid"),
  "sockets-full": kind(503, "Too many sockets are open", "after"),
  "storage-full": kind(507, "The storage is full", "after"),
  "storage-unavailable": kind(503, "The storage is not writable", "after"),
  "stream-closed": kind(409, "The stream is closed"),
  "stream-deleted": kind(410, "The stream was deleted, but forks still use its data"),
  "stream-exists": kind(409, "The stream already exists with a different configuration"),
  "stream-full": kind(507, "The stream has reached its size limit", "after"),
  "stream-not-found": kind(404, "The stream does not exist"),
  "stream-seq-invalid": kind(400, "Stream-Seq is malformed"),
  "stream-seq-regression": kind(409, "Stream-Seq is not strictly increasing"),
  "subprotocol-unsupported": kind(400, "None of the offered subprotocols is supported"),
  "subscription-claimed": kind(409, "The subscription is leased to another worker", "after"),
  "subscription-exists": kind(409, "The subscription already exists with a different configuration"),
  "subscription-fenced": kind(409, "The wake has ended"),
  "subscription-idle": kind(409, "The subscription has nothing pending", "after"),
  "subscription-invalid": kind(400, "The subscription request is malformed"),
  "subscription-not-found": kind(404, "The subscription does not exist"),
  "subscriptions-full": kind(409, "Subscription limit reached"),
  "token-expired": kind(401, "The token has expired", "with-new-token"),
  unauthenticated: kind(401, "A valid token is required"),
  unavailable: kind(503, "Temporarily unavailable", "after", "unknown"),
  "upgrade-required": kind(426, "The request must ask for a WebSocket"),
  "upgrade-unavailable": kind(501, "WebSockets are not available here"),
  "webhook-url-rejected": kind(400, "The webhook URL is not allowed"),
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;
/** The code of a module's problem: the module's name, a dot, and a name of its own. The table above has no dots. */
export type ModuleProblemCode = `${string}.${string}`;

/** One refusal. `headers` are part of the protocol's answer; `hint` says what to do about it. */
export interface Problem {
  readonly code: ProblemCode | ModuleProblemCode;
  /** Of a module's problem: what the table above says of the server's. */
  readonly kind?: ProblemKind;
  /** Of a module's problem: further members of the JSON body. */
  readonly members?: Readonly<Record<string, string | number | boolean | null>>;
  readonly detail: string;
  readonly hint?: string;
  /** Of `offset-trimmed`: where the stream begins now. */
  readonly earliestOffset?: string;
  /** Of `subscription-claimed`: who holds the lease, and of which wake. */
  readonly lease?: { readonly holder: string; readonly generation: number };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly ok: false;
  readonly problem: Problem;
}

/** The result of a command: its values, or why it was refused. Safe to send over RPC. */
export type Result<Value> = ({ readonly ok: true } & Value) | Refusal;

export function refuse(
  code: ProblemCode,
  detail: string,
  more: { readonly hint?: string; readonly headers?: Record<string, string> } = {},
): Refusal {
  return { ok: false, problem: { code, detail, ...more } };
}

/** What is true of all problems with a problem's code. */
export function kindOf({ code, kind: own }: Problem): ProblemKind {
  return own ?? (PROBLEMS as Readonly<Record<string, ProblemKind>>)[code] ?? PROBLEMS.internal;
}

/** `409` of a closed stream carries the closure and the final offset [PROTOCOL §5.2]. */
export function refuseClosed(lineage: Lineage, tail: number): Refusal {
  const finalOffset = offsetAt(lineage, tail);
  return refuse("stream-closed", `No more data can be appended; the stream ends at ${finalOffset}.`, {
    headers: { [HEADER.closed]: "true", [HEADER.nextOffset]: finalOffset },
  });
}

/** `403` to a fenced producer must carry the current epoch, or clients that claim epochs loop forever. */
export function refuseStaleEpoch(currentEpoch: number): Refusal {
  return refuse("producer-epoch-stale", `The producer's current epoch is ${currentEpoch}.`, {
    hint: `Stop this producer, or start again with Producer-Epoch ${currentEpoch + 1} and Producer-Seq 0.`,
    headers: { [HEADER.producerEpoch]: String(currentEpoch) },
  });
}

export function refuseGap(expectedSeq: number, receivedSeq: number): Refusal {
  return refuse("producer-gap", `Expected Producer-Seq ${expectedSeq}, received ${receivedSeq}.`, {
    hint: "Send the missing sequence numbers first.",
    headers: producerSeqHeaders(expectedSeq, receivedSeq),
  });
}

/** The two headers that every `409` to a producer carries; see `docs/protocol-notes.md` for what happens without. */
export function producerSeqHeaders(expectedSeq: number, receivedSeq: number): Record<string, string> {
  return {
    [HEADER.producerExpectedSeq]: String(expectedSeq),
    [HEADER.producerReceivedSeq]: String(receivedSeq),
  };
}

/** Every operation on a deleted stream that forks still read from [PROTOCOL §4.2]. */
export function refuseDeleted(): Refusal {
  return refuse("stream-deleted", "The stream was deleted. Its data is kept only because forks still read it.");
}

/** Retention has let go of what was there. */
export function refuseTrimmed(lineage: Lineage, earliest: number): Refusal {
  const earliestOffset = offsetAt(lineage, earliest);
  const { problem } = refuse("offset-trimmed", `The stream now begins at ${earliestOffset}.`, {
    hint: "Read from that offset, or from -1, which means the same.",
    headers: { [HEADER.earliestOffset]: earliestOffset },
  });
  return { ok: false, problem: { ...problem, earliestOffset } };
}

/** R2 did not return what the stream has stored there. */
export function refuseColdUnavailable(): Refusal {
  return refuse(
    "segment-unavailable",
    "The object storage that holds the stream's older data did not answer correctly.",
    {
      headers: { "Retry-After": "1" },
    },
  );
}

/** A stream has cold segments, and the server, or this object, has lost its way to them. */
export function refuseWithoutSegments(): Refusal {
  return refuse("segment-unavailable", "The stream's older data is in R2, but the binding SEGMENTS is missing.", {
    hint: "Restore the binding SEGMENTS to the bucket that holds the data.",
    headers: { "Retry-After": "60" },
  });
}

/** A fork's source does not exist; `detail` and `hint` are about the source, not about the URL of the request. */
export function refuseForkSourceNotFound(): Refusal {
  return refuse("stream-not-found", "The stream to fork from does not exist.", {
    hint: `Create the source first, or correct ${HEADER.forkedFrom}.`,
  });
}

export function refuseNotFound(): Refusal {
  return refuse("stream-not-found", "No stream exists at this URL.", { hint: "Create it with PUT." });
}

/** Prefix of every problem's type; `docs/problems.md` explains each. */
const TYPE_PREFIX = "urn:durable-streams-cloudflare:problem:";

/** What a problem's JSON says, in a response's body and in an SSE event. */
export function problemBody(problem: Problem): Record<string, unknown> {
  const { code, detail, hint, earliestOffset } = problem;
  const { status, title, retry, effects } = kindOf(problem);
  return {
    ...problem.members,
    type: TYPE_PREFIX + code,
    title,
    status,
    detail,
    code,
    retry,
    effects,
    ...(hint === undefined ? {} : { hint }),
    ...(earliestOffset === undefined ? {} : { earliestOffset }),
  };
}

function kind(
  status: number,
  title: string,
  retry: ProblemKind["retry"] = "never",
  effects: ProblemKind["effects"] = "none",
): ProblemKind {
  return { status, title, retry, effects };
}
