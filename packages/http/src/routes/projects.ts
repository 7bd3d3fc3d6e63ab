/** The HTTP API of projects, as rows of the route table. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { ProjectLimits } from "@durable-streams-cloudflare/core/contracts/project-record";
import { includesScope } from "@durable-streams-cloudflare/core/project/rights";
import { isForAdmin } from "@durable-streams-cloudflare/core/project/settings";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { answerJson, answerNothing, type Handled } from "../answers/answer.ts";
import { authorizeAdmin } from "../auth/access.ts";
import { findProject, READER_KEY_PARAMETER, refuseNobody, TOKEN_PARAMETER } from "../auth/project-authorize.ts";
import type { Projects } from "../client/projects.ts";
import { readJson, type Json } from "../limits/json-body.ts";
import { refuseRequest } from "../limits/rate-limit.ts";
import { publicUrlOf } from "../paths/public-url.ts";
import { streamPathOf } from "../paths/target.ts";
import type { HttpRequest } from "../ports.ts";
import { noteCaller, notesOf } from "../requests/request-notes.ts";
import type { ProjectPorts } from "../routing/edge-ports.ts";
import { route, type Call, type Guard, type Route } from "../routing/route.ts";
import { PROJECTS_ROOT } from "../routing/router.ts";

const BODY_BYTES_MAX = 64 * 1024;
const PAGE = 100;

interface ProjectCall {
  readonly projects: Projects;
  readonly project: string;
  /** The path's last segment where the pattern has `:item`. */
  readonly item: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  /** The URL of one of the project's streams, as a client outside can use it. */
  readonly urlOf: (stream: string, query: string) => string;
}

interface ProjectRoute {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** `:project` and `:item` stand for any one segment. */
  readonly pattern: string;
  /** `admin`: ADMIN_SECRET alone. A scope: that, or a token of the project which is for all of its streams. */
  readonly needs: "admin" | "manage" | "read";
  /** Of an answer that is not refused. */
  readonly status: 200 | 201 | 204;
  readonly handle: (call: ProjectCall) => Promise<Result<object>>;
}

/** Every route below `/v1/projects`. */
const ROUTES_OF_PROJECTS: readonly ProjectRoute[] = [
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

export const PROJECT_ROUTES: readonly Route[] = ROUTES_OF_PROJECTS.map((each) =>
  route(
    { method: each.method, path: PROJECTS_ROOT + each.pattern, needs: each.needs, touches: ["PROJECTS", "STREAMS"] },
    { guard: guardProject(each), handle: (call) => handleProject(call, each) },
  ),
);

interface ProjectAccess extends Allowed {
  readonly projects: Projects;
}

function guardProject({ needs, method, pattern }: ProjectRoute): Guard<ProjectAccess> {
  return async ({ request, project }, { config, limiter, projects }) => {
    if (projects === undefined) return refuse("route-not-found", "This server has no projects.");
    const allowed = await authorizeRoute(projects, config, request, needs, project);
    if (!allowed.ok) return projects.strangers.refuse(request, allowed);
    if (method !== "GET") notesOf(request).change = `${method} ${PROJECTS_ROOT}${pattern}`;
    const budget = needs === "manage" ? "management" : "tokens";
    const tooMany = await refuseRequest(limiter, allowed.limits, project, 1, budget);
    return tooMany ?? { ok: true, access: { ...allowed, projects: projects.projects } };
  };
}

/** In the path as it came, a segment is a name as it stands: none is percent-encoded. */
async function handleProject(
  { request, params, project, ports: { config }, access }: Call<ProjectAccess>,
  { handle, status }: ProjectRoute,
): Promise<Handled> {
  const body = await readJson(request, { bytesMax: BODY_BYTES_MAX, secondsMax: config.bodyTimeoutSeconds });
  if (!body.ok) return body;
  if (isForAdmin(body.json) && !access.isAdmin) {
    return refuse(
      "forbidden",
      "Changing limits, or setting an issuer on the server's own machine, requires ADMIN_SECRET.",
    );
  }
  const query = new URL(request.url).searchParams;
  const urlOf = (stream: string, search: string): string =>
    publicUrlOf(request, config, `${streamPathOf(project, stream, config)}?${search}`);
  const { projects } = access;
  const result = await handle({ projects, project, item: params["item"] ?? "", query, body: body.json, urlOf });
  if (!result.ok) return result;
  if (status === 204) return { ok: true, answer: answerNothing() };
  const { ok: _, ...json } = result;
  return { ok: true, answer: answerJson(json, status) };
}

interface Allowed {
  readonly isAdmin: boolean;
  /** Of those who come with a token of the project. */
  readonly limits?: ProjectLimits;
}

async function authorizeRoute(
  finder: ProjectPorts,
  config: Pick<Config, "adminSecret">,
  request: HttpRequest,
  needs: ProjectRoute["needs"],
  name: string,
): Promise<Result<Allowed>> {
  const admin = await authorizeAdmin(request, config, finder);
  if (admin !== undefined) return admin.ok ? { ok: true, isAdmin: true } : admin;
  const { claims: source } = finder;
  if (needs === "admin" || !source.isIn(request)) return refuseNobody(request, finder);
  const found = await findProject(finder, name, request);
  if (!found.ok) return found;
  if (found.project === undefined) return refuseNobody(request, finder);
  const verified = await source.verify(request, found.project);
  if (!verified.ok) return verified;
  noteCaller(request, source.shown, verified.claims.by);
  return verified.claims.isProjectWide && includesScope(verified.claims.rights, needs)
    ? { ok: true, isAdmin: false, limits: found.project.record.limits }
    : refuseRoute(needs);
}

function refuseRoute(needs: string): Refusal {
  return refuse("forbidden", `This operation requires a token for the whole project whose scope includes ${needs}.`);
}

function limitOf(query: URLSearchParams): number {
  const limit = Number(query.get("limit") ?? PAGE);
  return Number.isInteger(limit) && limit >= 1 ? limit : PAGE;
}
