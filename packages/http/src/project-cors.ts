/** Which origins a request's project allows. */

import type { Config } from "@durable-streams-cloudflare/core/config";

import { findProject, type ProjectFinder } from "./auth/project-authorize.ts";
import { parseControlPath } from "./paths/control-path.ts";
import { ESTUARY_ROOT, parseEstuaryPath } from "./paths/estuary-path.ts";
import { parseTarget, rawPath } from "./paths/target.ts";
import type { HttpRequest } from "./ports.ts";
import { PROJECTS_ROOT } from "./routes/projects.ts";

interface Ports {
  readonly config: Config;
  readonly projects: ProjectFinder | undefined;
}

/** The project's own origins; the server's where it has none, or where there is no project. */
export async function corsOrigins({ config, projects }: Ports, request: HttpRequest): Promise<readonly string[]> {
  if (config.authMode === "none" || projects === undefined) return config.corsOrigins;
  const name = parseProjectName(request.url, config.tenancy);
  const found = name === undefined ? undefined : await findProject(projects, name, request);
  return (found?.ok === true ? found.project?.record.corsOrigins : undefined) ?? config.corsOrigins;
}

function parseProjectName(url: string, tenancy: Config["tenancy"]): string | undefined {
  const path = rawPath(url);
  if (path.startsWith(`${PROJECTS_ROOT}/`)) return path.split("/")[3];
  if (path.startsWith(`${ESTUARY_ROOT}/`)) {
    const estuary = parseEstuaryPath(url, tenancy);
    return estuary.ok ? estuary.project : undefined;
  }
  const target = parseTarget(url, tenancy);
  return target.ok ? target.project : parseControlPath(path, tenancy)?.project;
}
