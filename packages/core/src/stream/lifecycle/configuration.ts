/** Compares a repeated create request with the stream that exists [PROTOCOL §4.2, §5.1]. */

import { mediaType, sameLifetime, sameRetention } from "@durable-streams-cloudflare/protocol";

import type { CreateCommand } from "../../contracts/stream.ts";
import { canonicalOffset } from "../forks/forks.ts";
import type { StreamState } from "../state.ts";

/** Describes what differs; `undefined` when nothing does. */
export function configurationDifference(state: StreamState, command: CreateCommand): string | undefined {
  const isAsked = (what: "contentType" | "lifetime" | "retention"): boolean =>
    command.byDefault?.includes(what) !== true;
  if (
    isAsked("contentType") &&
    command.contentType !== null &&
    mediaType(state.contentType) !== mediaType(command.contentType)
  ) {
    return `The existing stream has content type ${state.contentType}.`;
  }
  if (state.kind === "session") return "The existing stream is a session.";
  if (!isSameOrigin(state, command)) return "The existing stream has another source or fork offset.";
  // A fork that named no lifetime got its source's, and naming none again is the same request.
  const inherits = state.origin?.inheritsLifetime === true && command.lifetime.kind === "forever";
  if (isAsked("lifetime") && !inherits && !sameLifetime(state.lifetime, command.lifetime))
    return "The existing stream has a different lifetime.";
  if (isAsked("retention") && !sameRetention(state.retention, command.retention))
    return "The existing stream has a different retention.";
  if (state.recordsAuthors !== (command.recordsAuthors ?? false))
    return `The existing stream ${state.recordsAuthors ? "records" : "does not record"} authors.`;
  const closed = state.closure !== undefined;
  if (closed !== command.closed) return `The existing stream is ${closed ? "closed" : "open"}.`;
  return undefined;
}

function isSameOrigin({ origin }: StreamState, { fork }: CreateCommand): boolean {
  if (origin === undefined || fork === undefined) return origin === undefined && fork === undefined;
  const isSameOffset = origin.offset === canonicalOffset(fork.offset, origin.ancestors);
  return origin.source === fork.source && isSameOffset && origin.subOffset === fork.subOffset;
}
