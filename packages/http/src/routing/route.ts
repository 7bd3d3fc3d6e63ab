/**
 * The type of a row of the route table: path, method, the right that it needs, and which objects it may call. A route cannot be
 * made without a guard, which runs before its handler.
 */

import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Answer, Handled } from "../answers/answer.ts";
import { refusedAnswer } from "../answers/problem.ts";
import type { Scope } from "../auth/authorize.ts";
import type { Target } from "../paths/target.ts";
import type { Background, HttpRequest } from "../ports.ts";
import type { EdgePorts } from "./edge-ports.ts";

/** The bindings of the server's own objects. A module has bindings of its own. */
export type Touched = "STREAMS" | "PROJECTS" | "CONSUMERS" | "ESTUARIES" | "SUBSCRIPTIONS";

/** What the route table says about a route. */
export interface DeclaredRoute {
  /** The method. GET also serves HEAD, unless HEAD has a route of its own. */
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /**
   * The path pattern in Hono's notation: `:name` matches one segment, `:name{.+}` all the rest. With `TENANCY=single`,
   * `/:project` is omitted, except below `/v1/projects`.
   */
  readonly path: string;
  /**
   * Query parameters that select this route: it matches if the URL has one of them. Routes of the same path without
   * `parameters` then do not match.
   */
  readonly parameters?: readonly string[];
  /**
   * The right that a request needs. `admin`: `ADMIN_SECRET`. `wake`: a wake's token. `nothing`: anyone may send the request.
   */
  readonly needs: Scope | "admin" | "wake" | "nothing";
  /** The bindings of objects that the edge may call for an authorized request. For an unauthorized one it calls none. */
  readonly touches: readonly string[];
}

/** What a path names. `params` are as received: percent-encoded. */
export interface Place {
  readonly params: Readonly<Record<string, string>>;
  /** The project; `""` if the path names none. */
  readonly project: string;
  /** The stream; set only for paths below the root of streams. */
  readonly target: Target | undefined;
}

/** A request that has a route. */
export interface Routed extends Place {
  readonly request: HttpRequest;
  readonly background: Background;
}

/** A row of the route table. */
export interface Route extends DeclaredRoute {
  serve(routed: Routed, ports: EdgePorts): Answer | Promise<Answer>;
}

/** Checks the right that a route needs. Runs before anything else. */
export type Guard<Access> = (
  routed: Routed,
  ports: EdgePorts,
) => Result<{ access: Access }> | Promise<Result<{ access: Access }>>;

/** The argument of a handler: an authorized request. */
export interface Call<Access> extends Routed {
  readonly ports: EdgePorts;
  /** The result of the guard. */
  readonly access: Access;
}

interface Handler<Access> {
  readonly guard: Guard<Access>;
  readonly handle: (call: Call<Access>) => Promise<Handled>;
  /** How a refusal is put, where that is not as everywhere. */
  readonly refused?: typeof refusedAnswer;
}

/** Makes a row of the route table. Its handler is reached only through its guard. */
export function route<Access>(
  declared: DeclaredRoute,
  { guard, handle, refused = refusedAnswer }: Handler<Access>,
): Route {
  return {
    ...declared,
    async serve(routed, ports) {
      const guarded = await guard(routed, ports);
      if (!guarded.ok) return refused(routed.request, guarded);
      const handled = await handle({ ...routed, ports, access: guarded.access });
      return handled.ok ? handled.answer : refused(routed.request, handled);
    },
  };
}

/** The guard of routes that anyone may use. */
export const OPEN: Guard<undefined> = () => ({ ok: true, access: undefined });
