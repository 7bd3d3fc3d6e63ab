/**
 * All operations on projects, for HTTP and RPC alike. The caller is already authorized: this layer makes no checks of its own.
 */

import type {
  ListedStream,
  NewSecret,
  ProjectApi,
  StreamPage,
} from "@durable-streams-cloudflare/core/contracts/project";
import {
  isProjectName,
  RECORD_KEY_PREFIX,
  viewOf,
  type ProjectView,
} from "@durable-streams-cloudflare/core/contracts/project-record";
import { detach } from "@durable-streams-cloudflare/core/kit/detach";
import { retryRpc } from "@durable-streams-cloudflare/core/kit/retry-rpc";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { refuseNoProject } from "@durable-streams-cloudflare/core/project/published-record";
import { formatReaderKey, hashReaderKey, newReaderKey } from "@durable-streams-cloudflare/core/project/reader-key";
import { parseSecret, parseSettings } from "@durable-streams-cloudflare/core/project/settings";
import { matchesPattern } from "@durable-streams-cloudflare/core/project/stream-pattern";
import { parseStreamName, refuse, type Result } from "@durable-streams-cloudflare/protocol";

import { readerKeyKey, type Registry } from "../auth/registry.ts";
import { READ_URL_SECONDS_MAX, signReadUrlToken } from "../auth/token.ts";
import type { Objects, RegistryNamespace } from "../ports.ts";

const PAGE_MAX = 1_000;
const READ_URL_SECONDS = 3_600;

/** The bindings that `Projects` uses. */
export interface ProjectsEnv {
  readonly REGISTRY: RegistryNamespace;
  readonly PROJECTS: Objects<ProjectApi>;
  /** The objects of streams, which are asked for the incarnation that a reader key belongs to. */
  readonly STREAMS: { getByName(name: string): { head(): Promise<Result<{ lineage: { incarnation: number } }>> } };
}

/** One page of the list of projects. */
export interface ProjectPage {
  readonly projects: readonly string[];
  /** The cursor of the next page; `null` on the last page. */
  readonly cursor: string | null;
}

/** One page of a project's streams. */
export interface PublicStreamPage extends Omit<StreamPage, "streams"> {
  readonly streams: readonly (ListedStream & { readonly isPublic: boolean })[];
}

type Json = Readonly<Record<string, unknown>>;

/** The operations on projects. */
export class Projects {
  readonly #env: ProjectsEnv;
  readonly #registry: Registry;

  constructor(env: ProjectsEnv, registry: Registry) {
    this.#env = env;
    this.#registry = registry;
  }

  /**
   * Creates a project.
   * @param body the JSON body: `name`, and optionally `secret` and settings.
   */
  async create({ name, secret, ...settings }: Json): Promise<Result<{ project: ProjectView; secret: NewSecret }>> {
    if (typeof name !== "string" || !isProjectName(name)) {
      return refuse(
        "settings-invalid",
        "A project's name must have 1 to 63 characters: letters, digits, dots, dashes and underscores.",
        {
          hint: "Begin the name with a letter or a digit.",
        },
      );
    }
    const parsed = parseSettings(settings);
    if (!parsed.ok) return parsed;
    const chosen = parseSecret(secret);
    if (!chosen.ok) return chosen;
    const command = { name, settings: parsed.settings, secret: chosen.secret };
    return this.#change(name, (project) => project.create(command));
  }

  /** Lists the names of projects in order, one page at a time. */
  async list(cursor: string | null, limit: number): Promise<Result<ProjectPage>> {
    const found = await this.#env.REGISTRY.list({
      prefix: RECORD_KEY_PREFIX,
      limit: Math.min(limit, PAGE_MAX),
      ...(cursor === null ? {} : { cursor }),
    });
    const projects = found.keys.map(({ name }) => name.slice(RECORD_KEY_PREFIX.length));
    return { ok: true, projects, cursor: found.list_complete ? null : found.cursor };
  }

  async describe(name: string): Promise<Result<{ project: ProjectView }>> {
    const found = await this.#find(name);
    return found.ok ? { ok: true, project: viewOf(found.project.record) } : found;
  }

  async update(name: string, body: Json): Promise<Result<{ project: ProjectView }>> {
    const parsed = parseSettings(body);
    return parsed.ok ? this.#change(name, (project) => project.update(parsed.settings)) : parsed;
  }

  /** Adds a secret. The others stay valid, so to rotate: add a secret, switch the signers to it, and remove the old one. */
  async addSecret(name: string, { secret }: Json): Promise<Result<{ secret: NewSecret }>> {
    const parsed = parseSecret(secret);
    return parsed.ok ? this.#change(name, (project) => project.addSecret(parsed.secret)) : parsed;
  }

  /**
   * Removes a secret.
   * @param endLinks whether links that were made with it end as well.
   */
  removeSecret(name: string, kid: string, endLinks = false): Promise<Result<{ project: ProjectView }>> {
    return this.#change(name, (project) => project.removeSecret(kid, endLinks));
  }

  remove(name: string): Promise<Result<object>> {
    return this.#change(name, (project) => project.remove());
  }

  /** Signs a read URL: returns the token for the query of one stream's URL. */
  async signReadUrl(
    name: string,
    { stream, expiresInSeconds = READ_URL_SECONDS }: Json,
    nowMs: number = Date.now(),
  ): Promise<Result<{ stream: string; token: string; expiresAt: string }>> {
    const named = parseStream(stream);
    if (!named.ok) return named;
    const seconds = typeof expiresInSeconds === "number" ? expiresInSeconds : Number.NaN;
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > READ_URL_SECONDS_MAX) {
      return refuse("settings-invalid", `expiresInSeconds must be a whole number from 1 to ${READ_URL_SECONDS_MAX}.`);
    }
    const found = await this.#find(name);
    if (!found.ok) return found;
    const token = await signReadUrlToken(found.project, named.stream, seconds, nowMs);
    return { ok: true, stream: named.stream, token, expiresAt: new Date(nowMs + seconds * 1000).toISOString() };
  }

  /** Revokes all read URLs of the project that were signed so far. */
  revokeReadUrls(name: string): Promise<Result<{ project: ProjectView }>> {
    return this.#change(name, (project) => project.revokeReadUrls());
  }

  /**
   * Gives an existing stream a new reader key. The previous key becomes invalid, and the new one becomes invalid when the
   * stream ends.
   */
  async setReaderKey(name: string, { stream }: Json): Promise<Result<{ stream: string; key: string }>> {
    const named = parseStream(stream);
    if (!named.ok) return named;
    const head = detach(await retryRpc(() => this.#env.STREAMS.getByName(`${name}/${named.stream}`).head()));
    if (!head.ok) return head;
    const key = newReaderKey();
    const stored = { hash: await hashReaderKey(key), incarnation: head.lineage.incarnation };
    await this.#env.REGISTRY.put(readerKeyKey(name, named.stream), formatReaderKey(stored));
    this.#registry.forget(name, named.stream);
    return { ok: true, stream: named.stream, key };
  }

  async removeReaderKey(name: string, stream: unknown): Promise<Result<object>> {
    const named = parseStream(stream);
    if (!named.ok) return named;
    await this.#env.REGISTRY.delete(readerKeyKey(name, named.stream));
    this.#registry.forget(name, named.stream);
    return { ok: true };
  }

  /** Lists the project's streams, one page at a time. `isPublic` says that anyone may read the stream. */
  async listStreams(name: string, prefix: string, cursor: string, limit: number): Promise<Result<PublicStreamPage>> {
    if (!isProjectName(name)) return refuseNoProject();
    const [found, page] = await Promise.all([
      this.#registry.project(name),
      this.#env.PROJECTS.getByName(name).list({ prefix, after: cursor, limit: Math.min(limit, PAGE_MAX) }),
    ]);
    if (!page.ok) return page;
    if (!found.ok) return found;
    const patterns = found.project?.record.publicStreams ?? [];
    const isPublic = (stream: string): boolean => patterns.some((pattern) => matchesPattern(pattern, stream));
    const streams = page.streams.map((stream) => ({ ...stream, isPublic: isPublic(stream.name) }));
    return { ok: true, streams, cursor: page.cursor, counters: page.counters };
  }

  async #find(name: string): Promise<Result<{ project: Project }>> {
    const found = await this.#registry.project(name);
    if (!found.ok) return found;
    return found.project === undefined ? refuseNoProject() : { ok: true, project: found.project };
  }

  async #change<Value>(name: string, change: (project: ProjectApi) => Promise<Result<Value>>): Promise<Result<Value>> {
    if (!isProjectName(name)) return refuseNoProject();
    const result = await change(this.#env.PROJECTS.getByName(name));
    this.#registry.forget(name);
    return result;
  }
}

/** A stream's name as JSON has it: not percent-encoded. */
function parseStream(name: unknown): Result<{ stream: string }> {
  if (typeof name !== "string" || !name.isWellFormed())
    return refuse("settings-invalid", "stream must be a stream name.");
  const parsed = parseStreamName(encodeURIComponent(name));
  return parsed.ok
    ? { ok: true, stream: parsed.name }
    : refuse(parsed.reason === "too-long" ? "path-too-long" : "path-invalid", parsed.detail);
}
