/** Which origins a request's project allows. */

import type { Config } from "../config.ts";
import type { Registry } from "../project/registry.ts";
import { parseControlPath } from "./control-path.ts";
import { ESTUARY_ROOT, parseEstuaryPath } from "./estuary-path.ts";
import { findProject } from "./project-authorize.ts";
import { PROJECTS_ROOT } from "./routes/projects.ts";
import { parseTarget, rawPath } from "./target.ts";

interface Ports {
  readonly config: Config;
  readonly projects: { readonly registry: Registry } | undefined;
}

/** The project's own origins; the server's where it has none, or where there is no project. */
export async function corsOrigins({ config, projects }: Ports, url: string): Promise<readonly string[]> {
  if (config.authMode === "none" || projects === undefined) return config.corsOrigins;
  const name = projectNameOf(url, config.tenancy);
  const found = name === undefined ? undefined : await findProject(projects.registry, name);
  return (found?.ok === true ? found.project?.record.corsOrigins : undefined) ?? config.corsOrigins;
}

function projectNameOf(url: string, tenancy: Config["tenancy"]): string | undefined {
  const path = rawPath(url);
  if (path.startsWith(`${PROJECTS_ROOT}/`)) return path.split("/")[3];
  if (path.startsWith(`${ESTUARY_ROOT}/`)) {
    const estuary = parseEstuaryPath(url, tenancy);
    return estuary.ok ? estuary.project : undefined;
  }
  const target = parseTarget(url, tenancy);
  return target.ok ? target.project : parseControlPath(path, tenancy)?.project;
}
