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

export interface DeclaredRoute {
  /** GET serves HEAD as well, where no route of its own does. */
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /**
   * In Hono's notation: `:name` is one segment, `:name{.+}` all that follow. With `TENANCY=single`, `/:project` is
   * left out, except below `/v1/projects`.
   */
  readonly path: string;
  /** One of these must be in the URL's query; where one is, no route without them is meant. */
  readonly parameters?: readonly string[];
  /** `admin`: ADMIN_SECRET. `wake`: a wake's token. `nothing`: everybody may ask. */
  readonly needs: Scope | "admin" | "wake" | "nothing";
  /** Which objects the edge may call for whoever has that right; for all others it calls none. */
  readonly touches: readonly string[];
}

/** What the path says, as it came: percent-encoded. */
export interface Place {
  readonly params: Readonly<Record<string, string>>;
  /** `""`: the path names none. */
  readonly project: string;
  /** Of a path below the protocol's root. */
  readonly target: Target | undefined;
}

/** A request that has a route. */
export interface Routed extends Place {
  readonly request: HttpRequest;
  readonly background: Background;
}

export interface Route extends DeclaredRoute {
  serve(routed: Routed, ports: EdgePorts): Answer | Promise<Answer>;
}

/** Judges the request by what its route needs. Nothing else is done before. */
export type Guard<Access> = (
  routed: Routed,
  ports: EdgePorts,
) => Result<{ access: Access }> | Promise<Result<{ access: Access }>>;

export interface Call<Access> extends Routed {
  readonly ports: EdgePorts;
  /** What the guard has found out. */
  readonly access: Access;
}

interface Handler<Access> {
  readonly guard: Guard<Access>;
  readonly handle: (call: Call<Access>) => Promise<Handled>;
  /** How a refusal is put, where that is not as everywhere. */
  readonly refused?: typeof refusedAnswer;
}

/** There is no route without a guard, and no way to its handler past that. */
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

/** For what everybody may ask. */
export const OPEN: Guard<undefined> = () => ({ ok: true, access: undefined });
