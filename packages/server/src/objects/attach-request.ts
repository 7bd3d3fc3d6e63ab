/**
 * How the edge asks an object for a live reader's socket. RPC cannot carry a socket, so this is a `fetch` with an
 * upgrade; the answer is in its body, or, next to a socket, in `ATTACH_HEADER`.
 */

import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { formatOffset, parseOffset, type OffsetRef, type Result } from "@durable-streams-cloudflare/protocol";

const LIMITED = "&limited";

export type AttachAnswer = Result<AttachResult>;

/** Where the answer stands in a 101, which has no body. */
export const ATTACH_HEADER = "X-Attach";

export function encodeAttachHeader(answer: AttachAnswer): string {
  return encodeURIComponent(JSON.stringify(answer));
}

export function decodeAttachHeader(header: string): AttachAnswer {
  return JSON.parse(decodeURIComponent(header)) as AttachAnswer;
}

/** @param isLimited whether the project has a limit of live readers. */
export function attachRequest(from: OffsetRef, isLimited: boolean): Request {
  return new Request(`https://stream/?offset=${offsetText(from)}${isLimited ? LIMITED : ""}`, {
    // Compressing on the way between two Workers only costs.
    headers: { Upgrade: "websocket", "Sec-WebSocket-Extensions": "" },
  });
}

export function isLimitedAttach(url: string): boolean {
  return url.endsWith(LIMITED);
}

/** @throws Error on a request that `attachRequest` did not make. */
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
