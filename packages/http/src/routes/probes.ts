/** The routes for load balancers and monitors: `/healthz`, whether the server runs, and `/readyz`, whether it can serve. */

import { answerJson } from "../answers/answer.ts";
import { HEALTH, READINESS } from "../paths/probe.ts";
import { OPEN, route, type Route } from "../routing/route.ts";

export const PROBE_ROUTES: readonly Route[] = [
  route(
    { method: "GET", path: HEALTH, needs: "nothing", touches: [] },
    // A server that is started again has the same disk: that nothing can be stored is no reason to end it.
    { guard: OPEN, handle: async () => ({ ok: true, answer: answerJson({ status: "ok" }) }) },
  ),
  route(
    { method: "GET", path: READINESS, needs: "nothing", touches: [] },
    {
      guard: OPEN,
      handle: async ({ ports: { storage } }) => {
        const fault = await storage?.fault();
        if (fault === undefined) return { ok: true, answer: answerJson({ status: "ready" }) };
        return { ok: true, answer: answerJson({ status: "unavailable", reason: fault.detail }, 503) };
      },
    },
  ),
];
