/** POST [PROTOCOL §5.2, §5.3]: from request to command, and from result to answer. */

import type { AppendCommand, AppendResult } from "@durable-streams-cloudflare/core/contracts/stream";
import {
  formatOffset,
  HEADER,
  isClosedHeader,
  isContentType,
  isStreamSeq,
  offsetAt,
  parseOffset,
  parseProducer,
  producerSeqHeaders,
  kindOf,
  refuse,
  STREAM_SEQ_LENGTH_MAX,
  type Problem,
  type ProducerClaim,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Answer } from "../answers/answer.ts";
import { NO_STORE } from "../answers/cache-control.ts";
import type { Held } from "../limits/held-bytes.ts";
import type { HttpRequest } from "../ports.ts";
import { newRequestId } from "../requests/request-id.ts";
import { readContent, toStored, type BodyLimits } from "./payload.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Parses an append. If the request is invalid, the problem becomes the command's `fault`, because only the object knows whether
 * the stream is missing or closed, and that refusal takes precedence.
 */
export async function parseAppend(request: HttpRequest, limits: BodyLimits, held: Held): Promise<AppendCommand> {
  const header = (name: string): string | null => request.headers.get(name);
  const close = isClosedHeader(header(HEADER.closed));
  const contentType = header("Content-Type");
  const producer = parseProducer(header);
  const streamSeq = header(HEADER.seq);
  const expected = parseExpected(header(HEADER.expectedOffset));
  const body = await readPayload(request, { contentType, close }, limits, held);
  const fault = body.ok ? headerFault(producer, streamSeq, expected) : body;
  return {
    bytes: body.ok ? body.bytes : new Uint8Array(),
    contentType: contentType !== null && isContentType(contentType) ? contentType : null,
    close,
    attempt: newRequestId(),
    ...(producer.ok && producer.claim !== undefined ? { producer: producer.claim } : {}),
    ...(streamSeq === null ? {} : { streamSeq }),
    ...(fault === undefined ? expectation(expected) : { fault: fault.problem }),
  };
}

/** Encodes the result of an append [PROTOCOL §5.2]: 200 for a new append of a producer, and 204 for any other success. */
export function appendAnswer({ lineage, tail, closed, producer, outcome }: AppendResult): Answer {
  const isNewOfProducer = producer !== undefined && outcome === "appended";
  const headers: Answer["headers"] = { "Cache-Control": NO_STORE, [HEADER.nextOffset]: offsetAt(lineage, tail) };
  if (closed) headers[HEADER.closed] = "true";
  if (producer !== undefined) {
    headers[HEADER.producerEpoch] = String(producer.epoch);
    headers[HEADER.producerSeq] = String(producer.seq);
  }
  return { status: isNewOfProducer ? 200 : 204, headers, body: null };
}

/**
 * Adds the producer headers to a 409 that lacks them. The official client takes a 409 without them for a race with its own
 * earlier requests, and retries at once, forever. If the expected sequence equals the received one, it gives up.
 */
export function withProducerHeaders(problem: Problem, claim: ProducerClaim | undefined): Problem {
  if (claim === undefined || kindOf(problem).status !== 409) return problem;
  if (problem.headers?.[HEADER.producerExpectedSeq] !== undefined) return problem;
  return { ...problem, headers: { ...problem.headers, ...producerSeqHeaders(claim.seq, claim.seq) } };
}

async function readPayload(
  request: HttpRequest,
  { contentType, close }: Pick<AppendCommand, "contentType" | "close">,
  limits: BodyLimits,
  held: Held,
): Promise<Result<{ bytes: Bytes }>> {
  const body = await readContent(request, contentType, limits, held);
  if (!body.ok) return body;
  if (body.bytes.length === 0) {
    if (close) return body;
    return refuse("body-empty", "The append has no body.", {
      hint: `To close the stream without appending, send ${HEADER.closed}: true.`,
    });
  }
  if (contentType === null)
    return refuse("content-type-missing", "The append has a body but no Content-Type. Send the stream's Content-Type.");
  if (!isContentType(contentType))
    return refuse("content-type-invalid", "Content-Type must have the form type/subtype.");
  return toStored(body.bytes, contentType, limits);
}

/** What `Stream-Expected-Offset` says: an offset, in its one spelling; `""`: the beginning, of whichever incarnation. */
function parseExpected(text: string | null): Result<{ expected: string | undefined }> {
  if (text === null) return { ok: true, expected: undefined };
  const offset = parseOffset(text);
  if (offset === undefined || offset.kind === "now") {
    return refuse("expected-offset-invalid", `${HEADER.expectedOffset} must be an offset.`, {
      hint: `Send the ${HEADER.nextOffset} of the last response, or -1 to require an empty stream.`,
    });
  }
  return { ok: true, expected: offset.kind === "start" ? "" : formatOffset(offset.incarnation, offset.position) };
}

/**
 * An object of the version before does not know `expected`, and would store the append whatever the tail is. It refuses an
 * append with a fault, and one that knows `expected` sets this fault aside.
 */
function expectation(
  parsed: Result<{ expected: string | undefined }>,
): Pick<AppendCommand, "expected" | "fault"> | undefined {
  if (!parsed.ok || parsed.expected === undefined) return undefined;
  return { expected: parsed.expected, fault: OLDER_OBJECT.problem };
}

const OLDER_OBJECT = refuse(
  "unavailable",
  `The stream is still served by an older version of the server that does not support ${HEADER.expectedOffset}.`,
  {
    headers: { "Retry-After": "10" },
  },
);

function headerFault(
  producer: ReturnType<typeof parseProducer>,
  streamSeq: string | null,
  expected: ReturnType<typeof parseExpected>,
): Refusal | undefined {
  if (!producer.ok) {
    const code = producer.reason === "incomplete" ? "producer-headers-incomplete" : "producer-headers-invalid";
    return refuse(code, producer.detail);
  }
  if (streamSeq !== null && !isStreamSeq(streamSeq)) {
    return refuse("stream-seq-invalid", `Stream-Seq must have 1 to ${STREAM_SEQ_LENGTH_MAX} characters.`);
  }
  return expected.ok ? undefined : expected;
}
