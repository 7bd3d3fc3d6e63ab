/** The operations on projects as RPC methods, for service bindings. */

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type { NewSecret } from "@durable-streams-cloudflare/core/contracts/project";
import type { ProjectView } from "@durable-streams-cloudflare/core/contracts/project-record";
import { Registry } from "@durable-streams-cloudflare/http/auth/registry";
import { staticRegistryStore } from "@durable-streams-cloudflare/http/auth/static-project";
import {
  Projects,
  type ProjectPage,
  type ProjectsEnv,
  type PublicStreamPage,
} from "@durable-streams-cloudflare/http/client/projects";
import type { Result } from "@durable-streams-cloudflare/protocol";
import { WorkerEntrypoint } from "cloudflare:workers";

type Json = Readonly<Record<string, unknown>>;

/**
 * The entrypoint for other Workers. Every Worker with a service binding to it has full access to all projects, so bind it only
 * to Workers that authenticate their own users. Every method returns `{ok: true, …}` or `{ok: false, problem}`.
 * @example
 * # wrangler.toml of the other Worker
 * services = [{ binding = "PROJECTS", service = "durable-streams", entrypoint = "ProjectsRpc" }]
 */
export class ProjectsRpc extends WorkerEntrypoint<ProjectsEnv> {
  readonly #projects = new Projects(
    this.env,
    new Registry(staticRegistryStore(this.env.REGISTRY, parseConfig(this.env))),
  );

  createProject(body: Json): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    return this.#projects.create(body);
  }

  listProjects(cursor: string | null = null, limit = 100): Promise<Result<ProjectPage>> {
    return this.#projects.list(cursor, limit);
  }

  describeProject(name: string): Promise<Result<{ project: ProjectView }>> {
    return this.#projects.describe(name);
  }

  updateProject(name: string, settings: Json): Promise<Result<{ project: ProjectView }>> {
    return this.#projects.update(name, settings);
  }

  removeProject(name: string): Promise<Result<object>> {
    return this.#projects.remove(name);
  }

  addSecret(name: string, body: Json = {}): Promise<Result<{ secret: NewSecret }>> {
    return this.#projects.addSecret(name, body);
  }

  removeSecret(name: string, kid: string, endLinks = false): Promise<Result<{ project: ProjectView }>> {
    return this.#projects.removeSecret(name, kid, endLinks);
  }

  listStreams(name: string, prefix = "", cursor = "", limit = 100): Promise<Result<PublicStreamPage>> {
    return this.#projects.listStreams(name, prefix, cursor, limit);
  }

  signReadUrl(name: string, body: Json): Promise<Result<{ stream: string; token: string; expiresAt: string }>> {
    return this.#projects.signReadUrl(name, body);
  }

  revokeReadUrls(name: string): Promise<Result<{ project: ProjectView }>> {
    return this.#projects.revokeReadUrls(name);
  }

  setReaderKey(name: string, body: Json): Promise<Result<{ stream: string; key: string }>> {
    return this.#projects.setReaderKey(name, body);
  }

  removeReaderKey(name: string, stream: string): Promise<Result<object>> {
    return this.#projects.removeReaderKey(name, stream);
  }
}
