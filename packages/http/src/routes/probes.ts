/** What load balancers and monitors ask: `/healthz`, whether the Worker runs, and `/readyz`, whether it can serve. */

import { refuse } from "@durable-streams-cloudflare/protocol";

import { answerJson, type Answer } from "../answers/answer.ts";
import { refusedAnswer } from "../answers/problem.ts";
import type { StorageStatus } from "../limits/storage-status.ts";
import type { HttpRequest } from "../ports.ts";

const HEALTH = "/healthz";
const READINESS = "/readyz";

export const PROBES: readonly string[] = [HEALTH, READINESS];

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Whether a path is one of those that tell how the server is. */
export function isProbe(path: string): boolean {
  return PROBES.includes(path);
}

/** @param storage `undefined`: it can always store something. */
export async function serveProbe(
  request: HttpRequest,
  path: string,
  storage: StorageStatus | undefined,
): Promise<Answer> {
  if (!METHODS.has(request.method)) return refusedAnswer(request, refuseProbeMethod());
  // A server that is started again has the same disk: that nothing can be stored is no reason to end it.
  if (path === HEALTH) return answerJson({ status: "ok" });
  const fault = await storage?.fault();
  if (fault === undefined) return answerJson({ status: "ready" });
  return answerJson({ status: "unavailable", reason: fault.detail }, 503);
}

function refuseProbeMethod() {
  return refuse("method-not-allowed", "A status page supports only GET, HEAD, OPTIONS.", {
    headers: { Allow: "GET, HEAD, OPTIONS" },
  });
}
