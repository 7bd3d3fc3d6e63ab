/**
 * Retries a call to an object when its answer is lost (a deployment, a restart). That is safe because every call made through
 * here is idempotent: by a request id, by an incarnation, or by its nature. `packages/simulator/src/idempotency/methods.ts`
 * lists all of them, and the tests beside it prove each.
 */

import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { wait } from "./yield.ts";

const TRIES = 5;
const FIRST_DELAY_MS = 20;

export interface CallOptions {
  /** Called for each try whose answer was lost. */
  readonly onLost?: () => void;
  /** When the same was sent before this call, in ms, if what became of that is not known. */
  readonly sentAtMs?: number | undefined;
  /** The call is not made again later than this after it was sent first. */
  readonly repeatedMsMax?: number;
}

/** @param repeatedAfterMs `undefined`: nothing was sent before; otherwise how long ago, in ms, it was sent first. */
export type Invoke<Value> = (repeatedAfterMs?: number) => Promise<Result<Value>>;

type Tried<Value> = Result<Value> | "lost" | "overloaded" | "unsent";

export async function retryRpc<Value>(invoke: Invoke<Value>, options: CallOptions = {}): Promise<Result<Value>> {
  const { onLost, sentAtMs = Date.now(), repeatedMsMax = Infinity } = options;
  let mayBeDone = options.sentAtMs !== undefined;
  for (let tries = 1; ; tries += 1) {
    const elapsedMs = Math.max(0, Date.now() - sentAtMs);
    if (mayBeDone && elapsedMs > repeatedMsMax) return refuseUnanswered();
    const tried = await tryOnce(() => (mayBeDone ? invoke(elapsedMs) : invoke()));
    if (tried === "overloaded") return refuseOverloadedObject();
    if (tried === "lost") {
      mayBeDone = true;
      onLost?.();
    } else if (tried !== "unsent") {
      // An object with too much to do is not asked again, which would make it more. It knows nothing of earlier copies.
      const isFull = !tried.ok && tried.problem.code === "overloaded";
      return isFull && mayBeDone ? refuseUnanswered() : tried;
    }
    if (tries === TRIES) return mayBeDone ? refuseUnanswered() : refuseUnsent();
    await wait(FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random()));
  }
}

/** Calls once, where a second call could do harm. A failure of the call is returned as a problem. */
export async function callOnce<Value>(invoke: () => Promise<Result<Value>>): Promise<Result<Value>> {
  const tried = await tryOnce(invoke);
  if (tried === "lost") return refuseUnanswered();
  if (tried === "unsent") return refuseUnsent();
  return tried === "overloaded" ? refuseOverloadedObject() : tried;
}

async function tryOnce<Value>(invoke: () => Promise<Result<Value>>): Promise<Tried<Value>> {
  try {
    return await invoke();
  } catch (error) {
    // Cloudflare asks not to repeat these: it makes the overload worse.
    if (hasMark(error, "overloaded")) return "overloaded";
    if (isUnsent(error)) return "unsent";
    if (!hasMark(error, "retryable") && !hasMark(error, "durableObjectReset")) throw error;
    return "lost";
  }
}

/** Marks a call that the host did not send, because too many objects are in use. Nothing was done. */
export function isUnsent(error: unknown): boolean {
  return hasMark(error, "unsent");
}

export function refuseUnsent(): Refusal {
  return refuse("overloaded", "Too many streams are in use at the same time.", { headers: RETRY_SOON });
}

/** The runtime's marks on errors of its own; an error that our object threw has `remote` and none of them. */
function hasMark(error: unknown, mark: string): boolean {
  return typeof error === "object" && error !== null && (error as Record<string, unknown>)[mark] === true;
}

/** The runtime does not say whether the object has seen the request, so this is not the problem `overloaded`. */
function refuseOverloadedObject(): Refusal {
  return refuse("unavailable", "Too many requests are waiting for the stream's object.", { headers: RETRY_SOON });
}

/** It is unknown whether the request was carried out. */
export function refuseUnanswered(): Refusal {
  return refuse("unavailable", "The stream's object did not answer.", { headers: RETRY_SOON });
}

const RETRY_SOON = { "Retry-After": "1" };
