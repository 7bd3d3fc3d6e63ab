/** The routes besides the streams themselves. */

import { refuse } from "@durable-streams-cloudflare/protocol";
import { PatternRouter } from "hono/router/pattern-router";

import type { Answer } from "./answers/answer.ts";
import { preflightAnswer } from "./answers/cors.ts";
import { refusedAnswer } from "./answers/problem.ts";
import type { StorageStatus } from "./limits/storage-status.ts";
import { ESTUARY_ROOT } from "./paths/estuary-path.ts";
import { rawPath, STREAM_ROOT } from "./paths/target.ts";
import type { HttpRequest } from "./ports.ts";
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

type ServeRoute = (request: HttpRequest) => Answer | Promise<Answer>;

/** Makes what serves all requests but those to streams. It keeps no state between them. */
export function createApp(ports: AppPorts): ServeRoute {
  const { projects, storage, config, access } = ports;
  const router = new PatternRouter<ServeRoute>();
  for (const path of PROBES) router.add("ALL", path, (request) => serveProbe(request, path, storage));
  router.add("ALL", "/", (request) => serveHome(request, config, access));
  if (projects !== undefined) {
    for (const path of [PROJECTS_ROOT, `${PROJECTS_ROOT}/*`])
      router.add("ALL", path, (request) => serveProjects(projects, request));
  }
  router.add("ALL", `${ESTUARY_ROOT}/*`, (request) => serveEstuaries(ports, request));
  return (request) => {
    if (request.method === "OPTIONS") return preflightAnswer(request, methodsAt(request, config.tenancy));
    const [[found]] = router.match(request.method, rawPath(request.url));
    return (
      found?.[0](request) ??
      refusedAnswer(request, refuse("route-not-found", `The URLs of streams begin with ${STREAM_ROOT}.`))
    );
  };
}
