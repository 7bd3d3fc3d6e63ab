/**
 * Delays a producer's append that arrived before an earlier one, and tries it again. Clients send several appends at a time, on
 * separate connections, and send all of them again when one is refused as too early, which can double the traffic and its cost.
 */

import type { AppendCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import { HEADER, type ProducerClaim, type Refusal } from "@durable-streams-cloudflare/protocol";

/** Half a second together: longer than connections differ, shorter than people wait for an answer. */
const PAUSES_MS = [2, 4, 8, 16, 32, 64, 128, 256];

/** More than clients have under way; what is further ahead has lost something, and shall hear of it at once. */
const AHEAD_MAX = 64;

/**
 * Appends. A producer's append that is refused as too early is tried again for a short while, because the one before it may
 * still arrive.
 */
export async function appendWhenDue<Answer extends { readonly ok: true } | Refusal>(
  command: Pick<AppendCommand, "producer">,
  append: () => Promise<Answer>,
): Promise<Answer> {
  for (const pauseMs of PAUSES_MS) {
    const answer = await append();
    if (answer.ok || command.producer === undefined || !isEarly(answer, command.producer)) return answer;
    await wait(pauseMs);
  }
  return append();
}

/** Whether the refusal may be gone as soon as the appends before this one have come. */
function isEarly({ problem }: Refusal, { seq }: ProducerClaim): boolean {
  if (problem.code === "producer-epoch-start") return seq <= AHEAD_MAX;
  if (problem.code !== "producer-gap") return false;
  const expected = Number(problem.headers?.[HEADER.producerExpectedSeq]);
  return seq > expected && seq - expected <= AHEAD_MAX;
}
