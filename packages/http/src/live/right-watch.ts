/**
 * Checks the right of a live read again and again, as often as heartbeats are sent: while it waits, the secret may be removed,
 * the URL revoked, or the stream made private. A check uses what this isolate knows of the project: it calls no object, and
 * shares its reads of the registry with all other readers.
 */

import type { ProblemCode, Refusal } from "@durable-streams-cloudflare/protocol";

import type { Exchange } from "../exchange.ts";

/** Not knowing is no answer: the read goes on, and its session ends soon enough. */
const NO_ANSWERS: ReadonlySet<string> = new Set<ProblemCode>(["unavailable", "internal"]);

/**
 * Watches the right of one live read.
 * @param onRevoked called once, with the refusal, if the right has ended.
 * @returns a function that stops the watch.
 */
export function watchRight(
  { config, granted: { again } }: Pick<Exchange, "config" | "granted">,
  onRevoked: (refusal: Refusal) => void,
): () => void {
  if (again === undefined) return () => undefined;
  let isAsking = false;
  let isOver = false;
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    const decision = await again().catch(() => undefined);
    isAsking = false;
    if (decision === undefined || decision.ok || NO_ANSWERS.has(decision.problem.code) || isOver) return;
    end();
    onRevoked(decision);
  };
  const timer = setInterval(() => void ask(), config.sseHeartbeatSeconds * 1000);
  const end = (): void => {
    isOver = true;
    clearInterval(timer);
  };
  return end;
}
