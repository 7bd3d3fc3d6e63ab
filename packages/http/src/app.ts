/** The routes besides the streams themselves. */

import { refuse } from "@durable-streams-cloudflare/protocol";
import { Hono } from "hono/tiny";

import { preflightResponse } from "./cors.ts";
import type { StorageStatus } from "./limits/storage-status.ts";
import { ESTUARY_ROOT } from "./paths/estuary-path.ts";
import { STREAM_ROOT } from "./paths/target.ts";
import { refusedResponse } from "./problem-response.ts";
import { methodsAt } from "./route-table.ts";
import { serveEstuaries, type EstuaryPorts } from "./routes/estuaries.ts";
import { serveHome, type Access } from "./routes/home.ts";
import { PROBES, serveProbe } from "./routes/probes.ts";
import { PROJECTS_ROOT, serveProjects, type ProjectRoutePorts } from "./routes/projects.ts";

export interface AppPorts extends EstuaryPorts {
  /** `undefined`: this server has no registry of projects. */
  readonly projects: ProjectRoutePorts | undefined;
  /** `undefined`: the objects can always store something. */
  readonly storage: StorageStatus | undefined;
  readonly access: Access;
}

/** Builds the Hono app. It keeps no state between requests. */
export function createApp(ports: AppPorts): Hono {
  const { projects, storage, config, access } = ports;
  const app = new Hono();
  app.options("*", ({ req }) => preflightResponse(req.raw, methodsAt(req.raw, config.tenancy)));
  for (const path of PROBES) app.all(path, ({ req }) => serveProbe(req.raw, path, storage));
  app.all("/", ({ req }) => serveHome(req.raw, config, access));
  if (projects !== undefined) {
    for (const path of [PROJECTS_ROOT, `${PROJECTS_ROOT}/*`])
      app.all(path, ({ req }) => serveProjects(projects, req.raw));
  }
  app.all(`${ESTUARY_ROOT}/*`, ({ req }) => serveEstuaries(ports, req.raw));
  app.notFound(({ req }) =>
    refusedResponse(req.raw, refuse("route-not-found", `The URLs of streams begin with ${STREAM_ROOT}.`)),
  );
  // To the edge, which answers and logs every fault alike.
  app.onError((error) => {
    throw error;
  });
  return app;
}
