/** The stream of a session: what its sources deliver is appended to it, each message exactly once (`docs/estuaries.md`). */

import { formatOffset, mediaType, refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { DeliverCommand, DeliverResult, OpenSessionCommand, SessionResult } from "../../contracts/fan-out.ts";
import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";
import { concatBytes } from "../../kit/bytes.ts";
import { stateDeadlineMs, type StreamState } from "../state.ts";
import { toControlEnvelope, toEnvelopes } from "./envelope.ts";

/** The append of a delivery. Its row also stores the watermark of the source, like the state of a producer. */
export function deliveryAppend(command: DeliverCommand): AppendCommand {
  const { source, link, incarnation, start, from, to, end } = command;
  return {
    bytes: bytesOf(command),
    contentType: null,
    close: false,
    // The link's own number while it goes on, the odd one behind it once it is over.
    producer: { id: source, epoch: end === undefined ? link : link + 1, seq: to },
    delivery: { incarnation, start, from },
  };
}

export function deliveryResult({ link }: DeliverCommand, result: Result<AppendResult>): Result<DeliverResult> {
  if (!result.ok) return result;
  const { seq = 0, epoch = 0 } = result.producer ?? {};
  return { ok: true, position: seq, isOver: epoch > link };
}

/** Checks whether an existing stream is the session that is requested. */
export function openFault(state: StreamState, { contentType }: OpenSessionCommand): Refusal | undefined {
  if (state.kind !== "session") return refuseNoSession();
  if (mediaType(state.contentType) === mediaType(contentType)) return undefined;
  return refuse(
    "content-type-mismatch",
    `The session's content type is ${state.contentType}, but this source needs ${contentType}.`,
    {
      hint: "To follow sources of different content types in one session, use the format envelope.",
    },
  );
}

export function sessionResult(state: StreamState): SessionResult {
  const { lineage, contentType } = state;
  return { incarnation: lineage.incarnation, contentType, deadlineMs: stateDeadlineMs(state) ?? Infinity };
}

export function refuseNoSession(): Refusal {
  return refuse("session-expected", "The stream with this name is an ordinary stream.", {
    hint: "Use another estuaryId: only streams created by subscribing are sessions.",
  });
}

function bytesOf(command: DeliverCommand): DeliverCommand["bytes"] {
  const { format, bytes, owner, from, begin, to, end } = command;
  if (format === "raw") return bytes;
  const source = command.source.slice(command.source.indexOf("/") + 1);
  const chunks = [toEnvelopes({ ...command, source })];
  if (begin > from) chunks.unshift(toControlEnvelope(source, formatOffset(owner, begin), "trimmed"));
  if (end !== undefined) chunks.push(toControlEnvelope(source, formatOffset(owner, to), end));
  return concatBytes(chunks);
}
