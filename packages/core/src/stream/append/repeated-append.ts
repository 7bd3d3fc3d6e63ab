/** Answers a repeated append from memory, without storing it again, and refuses one that may have been forgotten. */

import { refuse, type Result } from "@durable-streams-cloudflare/protocol";

import { REMEMBERED_MS, type Identified } from "../../contracts/request-id.ts";
import type { AppendCommand, AppendResult } from "../../contracts/stream.ts";
import type { StreamState } from "../state.ts";
import type { RequestIds } from "./request-ids.ts";

/** The answer to an append that need not, or must not, be stored; `undefined`: it goes on to admission. */
export function recallAppend(
  command: AppendCommand & { readonly attempt: string },
  requests: RequestIds,
  state: StreamState | undefined,
  nowMs: number,
): Result<AppendResult> | undefined {
  const landing = requests.find(command.attempt);
  if (landing !== undefined) {
    const { lineage, end } = landing;
    const isOfThisStream = state?.lineage.incarnation === lineage.incarnation;
    const { producer } = command;
    return {
      ok: true,
      outcome: command.bytes.length > 0 ? "appended" : "closed",
      lineage,
      tail: end,
      closed: isOfThisStream ? state.closure !== undefined : command.close,
      ...(producer === undefined ? {} : { producer: { epoch: producer.epoch, seq: producer.seq } }),
    };
  }
  // A producer's append is known by its sequence however late it comes, but only to the stream that took it.
  const mayBeForgotten = command.producer === undefined && (command.repeatedAfterMs ?? 0) > REMEMBERED_MS;
  if (mayBeForgotten || (state !== undefined && isMeantForAnEarlier(command, state, nowMs))) {
    return refuse("unavailable", "The server does not know whether an earlier try of this append was stored.", {
      headers: { "Retry-After": "1" },
    });
  }
  return requests.isFull(nowMs) ? refuseTooMany() : undefined;
}

/** A copy of what was sent before the stream was made: the first copy met another stream here, or none. */
function isMeantForAnEarlier({ repeatedAfterMs }: Identified, { createdAtMs }: StreamState, nowMs: number): boolean {
  return repeatedAfterMs !== undefined && createdAtMs > nowMs - repeatedAfterMs;
}

function refuseTooMany(): Result<never> {
  return refuse("overloaded", "The stream receives more appends than it can remember the request ids of.", {
    hint: "Append in larger batches, or spread the appends over several streams.",
    headers: { "Retry-After": "1" },
  });
}
