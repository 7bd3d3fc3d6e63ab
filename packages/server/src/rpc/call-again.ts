/**
 * Calls to a stream's object. One whose answer is lost (a deploy, a restart) is made again here, because its caller
 * cannot do that safely: every command may be repeated, by its producer, its attempt, or its nature.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

const TRIES = 5;
const FIRST_DELAY_MS = 20;

/** @param onLost told of each try whose answer was lost. */
export async function callAgain<Facts>(
  invoke: () => Promise<Result<Facts>>,
  onLost: () => void = () => undefined,
): Promise<Result<Facts>> {
  for (let tries = 1; ; tries += 1) {
    const result = await tryOnce(invoke, onLost);
    // The object refused before it did anything, because too much was waiting: clients' producers do not try again.
    if (!("lost" in result) && (result.ok || result.problem.code !== "overloaded")) return result;
    if (tries === TRIES) return "lost" in result ? refuseUnavailable() : result;
    await scheduler.wait(FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random()));
  }
}

async function tryOnce<Facts>(
  invoke: () => Promise<Result<Facts>>,
  onLost: () => void,
): Promise<Result<Facts> | { readonly lost: true }> {
  try {
    return await invoke();
  } catch (error) {
    if (hasMark(error, "overloaded")) return refuseOverloaded();
    if (!hasMark(error, "retryable") && !hasMark(error, "durableObjectReset")) throw error;
    onLost();
    return { lost: true };
  }
}

/** The runtime's marks on errors of its own; an error that our object threw has `remote` and none of them. */
function hasMark(error: unknown, mark: string): boolean {
  return typeof error === "object" && error !== null && (error as Record<string, unknown>)[mark] === true;
}

function refuseOverloaded(): Refusal {
  return refuse("overloaded", "The stream's object has too many requests waiting.", { headers: RETRY_SOON });
}

function refuseUnavailable(): Refusal {
  return refuse("unavailable", `The stream's object did not answer in ${TRIES} tries.`, { headers: RETRY_SOON });
}

const RETRY_SOON = { "Retry-After": "1" };
