/** The HTTP API of projects: one table that says what each route needs. What is not in it is not served. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { ProjectLimits } from "@durable-streams-cloudflare/core/contracts/project-record";
import { isSameText } from "@durable-streams-cloudflare/core/project/reader-key";
import { includesScope } from "@durable-streams-cloudflare/core/project/rights";
import { isForAdmin } from "@durable-streams-cloudflare/core/project/settings";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { answerJson, answerNothing, type Answer, type Handled } from "../answers/answer.ts";
import { refusedAnswer } from "../answers/problem.ts";
import { refuseMethod } from "../answers/refuse-method.ts";
import {
  bearerOf,
  findProject,
  READER_KEY_PARAMETER,
  refuseNobody,
  TOKEN_PARAMETER,
  type ProjectFinder,
} from "../auth/project-authorize.ts";
import { verifyToken } from "../auth/token.ts";
import type { Projects } from "../client/projects.ts";
import { readJson, type Json } from "../limits/json-body.ts";
import { refuseRequest, type RateLimiter } from "../limits/rate-limit.ts";
import { publicUrlOf } from "../paths/public-url.ts";
import { rawPath, streamPathOf } from "../paths/target.ts";
import type { HttpRequest } from "../ports.ts";
import { noteCaller, notesOf } from "../requests/request-notes.ts";

export const PROJECTS_ROOT = "/v1/projects";

const BODY_BYTES_MAX = 64 * 1024;
const PAGE = 100;

interface Call {
  readonly projects: Projects;
  readonly project: string;
  /** The path's last segment where the pattern has `:item`. */
  readonly item: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  /** The URL of one of the project's streams, as a client outside can use it. */
  readonly urlOf: (stream: string, query: string) => string;
}

export interface Route {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** `:project` and `:item` stand for any one segment. */
  readonly pattern: string;
  /** `admin`: ADMIN_SECRET alone. A scope: that, or a token of the project which is for all of its streams. */
  readonly needs: "admin" | "manage" | "read";
  /** Of an answer that is not refused. */
  readonly status: 200 | 201 | 204;
  handle(call: Call): Promise<Result<object>>;
}

/** Every route below `/v1/projects`. */
export const PROJECT_ROUTES: readonly Route[] = [
  {
    method: "GET",
    pattern: "",
    needs: "admin",
    status: 200,
    handle: ({ projects, query }) => projects.list(query.get("cursor"), limitOf(query)),
  },
  {
    method: "POST",
    pattern: "",
    needs: "admin",
    status: 201,
    handle: ({ projects, body }) => projects.create(body),
  },
  {
    method: "GET",
    pattern: "/:project",
    needs: "manage",
    status: 200,
    handle: ({ projects, project }) => projects.describe(project),
  },
  {
    method: "PATCH",
    pattern: "/:project",
    needs: "manage",
    status: 200,
    handle: ({ projects, project, body }) => projects.update(project, body),
  },
  {
    method: "DELETE",
    pattern: "/:project",
    needs: "manage",
    status: 204,
    handle: ({ projects, project }) => projects.remove(project),
  },
  {
    method: "GET",
    pattern: "/:project/streams",
    needs: "read",
    status: 200,
    handle: ({ projects, project, query }) =>
      projects.listStreams(project, query.get("prefix") ?? "", query.get("cursor") ?? "", limitOf(query)),
  },
  {
    method: "POST",
    pattern: "/:project/secrets",
    needs: "manage",
    status: 201,
    handle: ({ projects, project, body }) => projects.addSecret(project, body),
  },
  {
    method: "DELETE",
    pattern: "/:project/secrets/:item",
    needs: "manage",
    status: 200,
    handle: ({ projects, project, item, query }) =>
      projects.removeSecret(project, item, query.get("endLinks") === "true"),
  },
  {
    method: "POST",
    pattern: "/:project/read-urls",
    needs: "manage",
    status: 201,
    handle: async ({ projects, project, body, urlOf }) => {
      const signed = await projects.signReadUrl(project, body);
      return signed.ok ? { ...signed, url: urlOf(signed.stream, `${TOKEN_PARAMETER}=${signed.token}`) } : signed;
    },
  },
  {
    method: "DELETE",
    pattern: "/:project/read-urls",
    needs: "manage",
    status: 200,
    handle: ({ projects, project }) => projects.revokeReadUrls(project),
  },
  {
    method: "POST",
    pattern: "/:project/reader-keys",
    needs: "manage",
    status: 201,
    handle: async ({ projects, project, body, urlOf }) => {
      const made = await projects.setReaderKey(project, body);
      return made.ok ? { ...made, url: urlOf(made.stream, `${READER_KEY_PARAMETER}=${made.key}`) } : made;
    },
  },
  {
    method: "DELETE",
    pattern: "/:project/reader-keys",
    needs: "manage",
    status: 204,
    handle: ({ projects, project, query }) => projects.removeReaderKey(project, query.get("stream")),
  },
];

export interface ProjectRoutePorts extends ProjectFinder {
  readonly config: Config;
  readonly projects: Projects;
  readonly limiter: RateLimiter;
  /** Decides first where there are no tokens at all (`AUTH_MODE=none`). */
  readonly authorizeAll: ((request: HttpRequest) => Result<object>) | undefined;
}

export async function serveProjects(ports: ProjectRoutePorts, request: HttpRequest): Promise<Answer> {
  const served = await serveRoute(ports, request);
  return served.ok ? served.answer : refusedAnswer(request, served);
}

/** In the path as it came, a segment is a name as it stands: none is percent-encoded. */
async function serveRoute(ports: ProjectRoutePorts, request: HttpRequest): Promise<Handled> {
  const path = rawPath(request.url);
  const found = findRoute(request.method, path);
  if (!found.ok) return found;
  const { route, project, item } = found;
  const allowed = await authorizeRoute(ports, request, route, project);
  if (!allowed.ok) return ports.strangers.refuse(request, allowed);
  if (route.method !== "GET") notesOf(request).change = `${route.method} ${PROJECTS_ROOT}${route.pattern}`;
  const budget = route.needs === "manage" ? "management" : "tokens";
  const tooMany = await refuseRequest(ports.limiter, allowed.limits, project, 1, budget);
  if (tooMany !== undefined) return tooMany;
  const body = await readJson(request, { bytesMax: BODY_BYTES_MAX, secondsMax: ports.config.bodyTimeoutSeconds });
  if (!body.ok) return body;
  if (isForAdmin(body.json) && !allowed.isAdmin) {
    return refuse(
      "forbidden",
      "Changing limits, or setting an issuer on the server's own machine, requires ADMIN_SECRET.",
    );
  }
  const query = new URL(request.url).searchParams;
  const urlOf = (stream: string, search: string): string =>
    publicUrlOf(request, ports.config, `${streamPathOf(project, stream, ports.config.tenancy)}?${search}`);
  const result = await route.handle({ projects: ports.projects, project, item, query, body: body.json, urlOf });
  if (!result.ok) return result;
  if (route.status === 204) return { ok: true, answer: answerNothing() };
  const { ok: _, ...json } = result;
  return { ok: true, answer: answerJson(json, route.status) };
}

function findRoute(method: string, path: string): Result<{ route: Route; project: string; item: string }> {
  // The router has matched the decoded path.
  if (path !== PROJECTS_ROOT && !path.startsWith(`${PROJECTS_ROOT}/`)) return refuseNoRoute();
  const segments = path.slice(PROJECTS_ROOT.length).split("/").slice(1);
  const matching = PROJECT_ROUTES.filter(({ pattern }) => matches(pattern, segments));
  const route = matching.find((candidate) => candidate.method === method);
  if (route !== undefined) return { ok: true, route, project: segments[0] ?? "", item: segments[2] ?? "" };
  if (matching.length === 0) return refuseNoRoute();
  return refuseMethod(
    "This route",
    matching.map((candidate) => candidate.method),
  );
}

/** The methods of a path below `/v1/projects`; none where there is no route. */
export function projectMethods(path: string): readonly string[] {
  const segments = path.slice(PROJECTS_ROOT.length).split("/").slice(1);
  return PROJECT_ROUTES.filter(({ pattern }) => matches(pattern, segments)).map(({ method }) => method);
}

function refuseNoRoute(): Refusal {
  return refuse("route-not-found", `No such route exists under ${PROJECTS_ROOT}.`);
}

function matches(pattern: string, segments: readonly string[]): boolean {
  const parts = pattern.split("/").slice(1);
  return (
    parts.length === segments.length &&
    parts.every((part, index) => (part.startsWith(":") ? segments[index] !== "" : part === segments[index]))
  );
}

interface Allowed {
  readonly isAdmin: boolean;
  /** Of those who come with a token of the project. */
  readonly limits?: ProjectLimits;
}

async function authorizeRoute(
  { authorizeAll, ...ports }: ProjectRoutePorts,
  request: HttpRequest,
  { needs }: Route,
  name: string,
): Promise<Result<Allowed>> {
  if (authorizeAll !== undefined) {
    const all = authorizeAll(request);
    return all.ok ? { ok: true, isAdmin: true } : all;
  }
  const bearer = bearerOf(request);
  const { adminSecret } = ports.config;
  if (adminSecret !== "" && bearer !== null && (await isSameText(bearer, adminSecret))) return asAdmin(request);
  if (needs === "admin" || bearer === null) return refuseNobody(request);
  const found = await findProject(ports, name, request);
  if (!found.ok) return found;
  if (found.project === undefined) return refuseNobody(request);
  const verified = await verifyToken(bearer, found.project);
  if (!verified.ok) return verified;
  noteCaller(request, "token", verified.claims.by);
  return verified.claims.isProjectWide && includesScope(verified.claims.rights, needs)
    ? { ok: true, isAdmin: false, limits: found.project.record.limits }
    : refuseRoute(needs);
}

function asAdmin(request: HttpRequest): Result<Allowed> {
  noteCaller(request, "admin");
  return { ok: true, isAdmin: true };
}

function refuseRoute(needs: string): Refusal {
  return refuse("forbidden", `This operation requires a token for the whole project whose scope includes ${needs}.`);
}

function limitOf(query: URLSearchParams): number {
  const limit = Number(query.get("limit") ?? PAGE);
  return Number.isInteger(limit) && limit >= 1 ? limit : PAGE;
}
