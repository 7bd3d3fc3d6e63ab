/**
 * How the edge asks an object for a live reader's socket. RPC cannot carry a socket, so this is a `fetch` with an upgrade. The
 * answer is in the response's body, or in `ATTACH_HEADER` when there is a socket.
 */

import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { formatOffset, parseOffset, type OffsetRef, type Result } from "@durable-streams-cloudflare/protocol";

/** At the end, which is where objects of an older version look for it. */
const LIMITED = "&limited";
const PUBLIC = "&public";
const RANGES = "&ranges";

/** The object's answer to an attach request. */
export type AttachAnswer = Result<AttachResult>;

/** The answer as it is sent. Its status is called `standing`, because the previous release knows it by that name. */
export type SentAttachAnswer = Result<Omit<AttachResult, "status"> & { readonly standing: AttachResult["status"] }>;

/** The header that carries the answer in a 101 response, which has no body. */
export const ATTACH_HEADER = "X-Attach";

export function toSentAnswer(answer: AttachAnswer): SentAttachAnswer {
  if (!answer.ok) return answer;
  const { status: standing, ...rest } = answer;
  return { ...rest, standing };
}

export function fromSentAnswer(sent: SentAttachAnswer): AttachAnswer {
  if (!sent.ok) return sent;
  const { standing: status, ...rest } = sent;
  return { ...rest, status };
}

export function encodeAttachHeader(answer: AttachAnswer): string {
  return encodeURIComponent(JSON.stringify(toSentAnswer(answer)));
}

export function decodeAttachHeader(header: string): AttachAnswer {
  return fromSentAnswer(JSON.parse(decodeURIComponent(header)) as SentAttachAnswer);
}

/** Makes the request by which the edge asks for a reader's socket. */
export function attachRequest(from: OffsetRef, { budget, isLimited, takesRanges }: ReaderAdmission): Request {
  const flags = `${budget === "public" ? PUBLIC : ""}${takesRanges === true ? RANGES : ""}${isLimited ? LIMITED : ""}`;
  return new Request(`https://stream/?offset=${offsetText(from)}${flags}`, {
    // Compressing on the way between two Workers only costs.
    headers: { Upgrade: "websocket", "Sec-WebSocket-Extensions": "" },
  });
}

/** Reads the reader's admission from a request's URL. */
export function admissionFromAttachUrl(url: string): ReaderAdmission {
  const admission = { budget: url.includes(PUBLIC) ? "public" : "tokens", isLimited: url.endsWith(LIMITED) } as const;
  return url.includes(RANGES) ? { ...admission, takesRanges: true } : admission;
}

/**
 * Reads the offset from a request's URL.
 * @throws Error if `attachRequest` did not make the request.
 */
export function offsetFromAttachUrl(url: string): OffsetRef {
  const offset = parseOffset(new URL(url).searchParams.get("offset"));
  if (offset === undefined) throw new Error("An attach request has a malformed offset.");
  return offset;
}

function offsetText(from: OffsetRef): string {
  switch (from.kind) {
    case "start":
      return "-1";
    case "now":
      return "now";
    case "at":
      return formatOffset(from.incarnation, from.position);
  }
}
