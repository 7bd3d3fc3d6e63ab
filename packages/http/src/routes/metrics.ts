/** The route of a server's metrics, for hosts that have them. */

import { refuse } from "@durable-streams-cloudflare/protocol";

import { NO_STORE } from "../answers/cache-control.ts";
import { authorizeAdmin } from "../auth/access.ts";
import { refuseNobody } from "../auth/project-authorize.ts";
import type { Metric } from "../metrics/metric.ts";
import { formatPrometheus, PROMETHEUS_TYPE } from "../metrics/prometheus.ts";
import { METRICS } from "../paths/probe.ts";
import { route, type Guard, type Route } from "../routing/route.ts";

/** Metrics tell about all projects, so they are for administrators. */
const guard: Guard<object> = async ({ request }, { config, projects }) => {
  if (projects === undefined) return refuse("route-not-found", "This server has no metrics.");
  const admin = await authorizeAdmin(request, config, projects);
  if (admin === undefined) return projects.strangers.refuse(request, refuseNobody(request, projects));
  return admin.ok ? { ok: true, access: admin } : admin;
};

/** @param collect makes the metrics as they are now. */
export function metricsRoute(collect: () => Promise<readonly Metric[]>): Route {
  return route(
    { method: "GET", path: METRICS, needs: "admin", touches: [] },
    {
      guard,
      handle: async () => {
        const body = formatPrometheus(await collect());
        const headers = { "Content-Type": PROMETHEUS_TYPE, "Cache-Control": NO_STORE };
        return { ok: true, answer: { status: 200, headers, body } };
      },
    },
  );
}
