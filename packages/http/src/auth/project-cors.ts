/** The origins that a request's project allows. */

import type { Config } from "@durable-streams-cloudflare/core/config";

import type { HttpRequest } from "../ports.ts";
import { findProject, type ProjectFinder } from "./project-authorize.ts";

interface Ports {
  readonly config: Config;
  readonly projects: ProjectFinder | undefined;
}

/**
 * The project's own CORS origins, or the server's if the project has none or does not exist.
 * @param name of the project; `""` if the URL names none.
 */
export async function corsOrigins(
  { config, projects }: Ports,
  request: HttpRequest,
  name: string,
): Promise<readonly string[]> {
  if (config.authMode === "none" || projects === undefined) return config.corsOrigins;
  const found = name === "" ? undefined : await findProject(projects, name, request);
  return (found?.ok === true ? found.project?.record.corsOrigins : undefined) ?? config.corsOrigins;
}
