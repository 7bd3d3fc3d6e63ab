/** What load balancers and monitors ask: `/healthz`, whether the Worker runs, and `/readyz`, whether it can serve. */

import { refuse } from "@durable-streams-cloudflare/protocol";

import type { StorageStatus } from "../limits/storage-status.ts";
import { refusedResponse } from "../problem-response.ts";

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
  request: Request,
  path: string,
  storage: StorageStatus | undefined,
): Promise<Response> {
  if (!METHODS.has(request.method)) return refusedResponse(request, refuseProbeMethod());
  // A server that is started again has the same disk: that nothing can be stored is no reason to end it.
  if (path === HEALTH) return answer(request, 200, { status: "ok" });
  const fault = await storage?.fault();
  if (fault === undefined) return answer(request, 200, { status: "ready" });
  return answer(request, 503, { status: "unavailable", reason: fault.detail });
}

function answer(request: Request, status: number, body: object): Response {
  const response = Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
  return request.method === "HEAD" ? new Response(null, response) : response;
}

function refuseProbeMethod() {
  return refuse("method-not-allowed", "A status page supports only GET, HEAD, OPTIONS.", {
    headers: { Allow: "GET, HEAD, OPTIONS" },
  });
}
