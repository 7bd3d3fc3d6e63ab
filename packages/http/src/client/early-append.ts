/**
 * Delays a producer's append that arrived before an earlier one, and tries it again, where appends share calls. Held in the
 * object, it would hold up the whole call that it shares, and with that the append that it waits for.
 */

import type { AppendCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import { isEarly } from "@durable-streams-cloudflare/core/stream/append/early-appends";
import type { Refusal } from "@durable-streams-cloudflare/protocol";

/** Half a second together: longer than connections differ, shorter than people wait for an answer. */
const PAUSES_MS = [2, 4, 8, 16, 32, 64, 128, 256];

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
