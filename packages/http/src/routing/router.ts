/** Finds the routes that match a URL. */

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import { controlPathOf, type PathConfig } from "@durable-streams-cloudflare/core/kit/control-path";
import { refuse, REGISTRY_STREAM, RESERVED_SEGMENT, type Refusal } from "@durable-streams-cloudflare/protocol";
import { PatternRouter } from "hono/router/pattern-router";

import { SINGLE_PROJECT } from "../auth/static-project.ts";
import { parseControlPath } from "../paths/control-path.ts";
import { isStreamPath, parseTargetPath, rawPath } from "../paths/target.ts";
import type { HttpRequest } from "../ports.ts";
import { overlaps } from "./path-overlap.ts";
import type { Place, Route } from "./route.ts";

/** The root of streams as the table writes it. A server has STREAM_BASE_PATH instead. */
export const STREAMS_ROOT = "/v1/stream/";
export const PROJECTS_ROOT = "/v1/projects";
export const ESTUARY_ROOT = "/v1/estuary";
/** The path of every stream. */
export const STREAM_PATH = `${STREAMS_ROOT}:project/:stream{.+}`;

/** The routes at a URL, or the refusal if there are none. */
export interface Found extends Place {
  /** The routes by method. */
  readonly routes: ReadonlyMap<string, Route>;
  readonly refusal: Refusal | undefined;
  /** Whether the URL is below `__ds`, where refusals have their own form. */
  readonly isControl: boolean;
}

type RoutesByMethod = ReadonlyMap<string, Route>;

/** Stands for an empty segment, which is none to Hono: a control character, which no id and no name may have either. */
const NO_TEXT = "%00";

const NO_ROUTES: RoutesByMethod = new Map();
const NO_PARAMS = {};
const NOWHERE = { params: NO_PARAMS, project: "", target: undefined, isControl: false };

/** The route table, indexed by path. */
export class Routes {
  readonly #config: PathConfig;
  readonly #router = new PatternRouter<readonly Route[]>();
  readonly #ofStreams: RoutesByMethod;

  /** @throws ConfigError when another route lies below the root of streams. */
  constructor(routes: readonly Route[], config: PathConfig) {
    this.#config = config;
    checkRoot(routes, config);
    // Every request to a stream would have to be matched with all other paths (docs/adr/0023-one-route-table.md).
    this.#ofStreams = byMethod(routes.filter(({ path }) => path === STREAM_PATH));
    for (const path of new Set(routes.map((each) => each.path))) {
      const there = routes.filter((each) => each.path === path);
      if (path !== STREAM_PATH) this.#router.add("ALL", pathIn(path, config), there);
    }
  }

  find({ url }: Pick<HttpRequest, "url">): Found {
    const path = rawPath(url);
    return isStreamPath(path, this.#config) ? this.#findBelowRoot(path, url) : this.#match(path, url);
  }

  /** The path of a stream is decoded before anything else: what is reserved is so in any notation. */
  #findBelowRoot(path: string, url: string): Found {
    const target = parseTargetPath(path, this.#config);
    if (target.ok) {
      const { project } = target;
      return { params: NO_PARAMS, project, target, routes: this.#ofStreams, refusal: undefined, isControl: false };
    }
    const control = parseControlPath(path, this.#config);
    if (control === undefined) return { ...NOWHERE, routes: NO_ROUTES, refusal: target };
    const segments = control.segments.map((segment) => encodeURIComponent(segment) || NO_TEXT);
    const canonical = [controlPathOf(control.project, this.#config), ...segments];
    return { ...this.#match(canonical.join("/"), url), project: control.project, isControl: true };
  }

  /** A slash at the end is part of the path; Hono would pass over it. */
  #match(path: string, url: string): Found {
    // Of several paths that fit, the one that comes first in the table.
    const [matches] = this.#router.match("ALL", path);
    const [first] = matches.filter(([[each]]) => !path.endsWith("/") || path === "/" || each?.path.endsWith("{.+}"));
    if (first === undefined) {
      const refusal = refuseNoRoute(path, this.#config);
      return { ...NOWHERE, project: projectNamedIn(path), routes: NO_ROUTES, refusal };
    }
    const [routes] = first;
    const params = first[1] as Place["params"];
    const isOfProject = routes.some((each) => each.path.includes("/:project"));
    const project = params["project"] ?? (isOfProject ? SINGLE_PROJECT : "");
    return { ...NOWHERE, params, project, routes: byMethod(meantBy(url, routes)), refusal: undefined };
  }
}

/**
 * The path pattern as the server matches it. With `TENANCY=single`, paths do not name the project, except below `/v1/projects`.
 */
export function pathIn(path: string, { tenancy, streamRoot }: PathConfig): string {
  const isOfStreams = path.startsWith(STREAMS_ROOT);
  const own = isOfStreams ? streamRoot + path.slice(STREAMS_ROOT.length) : path;
  return tenancy === "single" && !path.startsWith(`${PROJECTS_ROOT}/`) ? own.replace(/\/:project(?=\/|$)/, "") : own;
}

function checkRoot(routes: readonly Route[], config: PathConfig): void {
  const { streamRoot } = config;
  const below = `${streamRoot}:rest{.+}`;
  const others = routes.filter(({ path }) => !path.startsWith(STREAMS_ROOT));
  const other = others.find(({ path }) =>
    [below, streamRoot.slice(0, -1)].some((own) => overlaps(own, pathIn(path, config))),
  );
  if (other === undefined) return;
  throw new ConfigError(
    `STREAM_BASE_PATH must not be ${streamRoot.slice(0, -1)}, because the server has ${other.path} there. Choose another path.`,
  );
}

/** The methods that a URL supports, without OPTIONS; empty if nothing is there. */
export function methodsOf({ routes, target }: Pick<Found, "routes" | "target">): readonly string[] {
  // The server alone writes this stream, which is otherwise one like all others.
  return target?.stream === REGISTRY_STREAM ? ["GET", "HEAD"] : [...routes.keys()];
}

function byMethod(routes: readonly Route[]): RoutesByMethod {
  const found = new Map<string, Route>();
  for (const each of routes) {
    if (!found.has(each.method)) found.set(each.method, each);
    if (each.method === "GET" && !routes.some(({ method }) => method === "HEAD")) found.set("HEAD", each);
  }
  return found;
}

function meantBy(url: string, routes: readonly Route[]): readonly Route[] {
  const special = routes.filter(({ parameters }) => parameters !== undefined);
  if (special.length === 0) return routes;
  const { searchParams } = new URL(url);
  const meant = special.filter(({ parameters = [] }) => parameters.some((name) => searchParams.has(name)));
  return meant.length > 0 ? meant : routes.filter(({ parameters }) => parameters === undefined);
}

/** The project that a path without a route names, whose pages may read the refusal (CORS); `""`: none. */
function projectNamedIn(path: string): string {
  return path.startsWith(`${PROJECTS_ROOT}/`) ? (path.split("/", 4)[3] ?? "") : "";
}

function refuseNoRoute(path: string, { streamRoot }: PathConfig): Refusal {
  const roots = [PROJECTS_ROOT, ESTUARY_ROOT].filter((root) => path === root || path.startsWith(`${root}/`));
  if (path.startsWith(streamRoot)) return refuse("route-not-found", `No such route exists under ${RESERVED_SEGMENT}.`);
  if (roots.length > 0) return refuse("route-not-found", `No such route exists under ${roots[0]}.`);
  return refuse("route-not-found", `The URLs of streams begin with ${streamRoot}.`);
}
