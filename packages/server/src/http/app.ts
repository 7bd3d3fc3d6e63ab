/** The routes besides the streams themselves. */

import { refuse } from "@durable-streams-cloudflare/protocol";
import { Hono } from "hono/tiny";

import { preflightResponse } from "./cors.ts";
import { ESTUARY_ROOT } from "./estuary-path.ts";
import { refusedResponse } from "./problem-response.ts";
import { serveEstuaries, type EstuaryPorts } from "./routes/estuaries.ts";
import { PROJECTS_ROOT, serveProjects, type ProjectRoutePorts } from "./routes/projects.ts";
import { STREAM_ROOT } from "./target.ts";

const STATUS_OF_PROBE = { "/healthz": "ok", "/readyz": "ready" };

/** Whether a path is one of those that tell how the server is. */
export function isProbe(path: string): boolean {
  return Object.hasOwn(STATUS_OF_PROBE, path);
}

/**
 * Builds the Hono app. It keeps no state between requests.
 * @param projects `undefined`: this server has no registry of projects.
 */
export function createApp(projects: ProjectRoutePorts | undefined, estuaries: EstuaryPorts): Hono {
  const app = new Hono();
  app.options("*", () => preflightResponse());
  for (const [path, status] of Object.entries(STATUS_OF_PROBE)) {
    app.get(path, () => Response.json({ status }, { headers: { "Cache-Control": "no-store" } }));
    app.all(path, ({ req }) => refusedResponse(req.raw, refuseProbeMethod()));
  }
  if (projects !== undefined) {
    for (const path of [PROJECTS_ROOT, `${PROJECTS_ROOT}/*`])
      app.all(path, ({ req }) => serveProjects(projects, req.raw));
  }
  app.all(`${ESTUARY_ROOT}/*`, ({ req }) => serveEstuaries(estuaries, req.raw));
  app.notFound(({ req }) => refusedResponse(req.raw, refuse("route-not-found", `Streams are below ${STREAM_ROOT}.`)));
  // To the edge, which answers and logs every fault alike.
  app.onError((error) => {
    throw error;
  });
  return app;
}

function refuseProbeMethod() {
  return refuse("method-not-allowed", "A status can only be read.", { headers: { Allow: "GET, HEAD, OPTIONS" } });
}
