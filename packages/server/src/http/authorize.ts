/** Who may do what. The server has a default per `AUTH_MODE`; a Worker that mounts it may bring its own. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { Config } from "../config.ts";

export type Scope = "read" | "write" | "manage";

/** What each method needs. A method that is not here is not served. */
export const SCOPE_OF_METHOD: Readonly<Record<string, Scope>> = {
  GET: "read",
  HEAD: "read",
  POST: "write",
  PUT: "write",
  DELETE: "manage",
};

/**
 * Decide by `project`, `stream` and `scope`, never by the URL or method of `request`: a fork asks a second time, with its
 * own PUT request, whether its source may be read.
 */
export interface AuthorizeInput {
  readonly request: Request;
  readonly project: string;
  readonly stream: string;
  readonly scope: Scope;
}

export interface Granted {
  readonly ok: true;
  /** Whether everybody may read this, so that shared caches may keep it. */
  readonly isPublic: boolean;
  /** When the right to read ends, in ms: live reads end then. */
  readonly expiresAtMs?: number;
}

/** Decides one request. Return a refusal (`unauthenticated`, `forbidden`, …); throw only on a fault of your own. */
export type Authorize = (input: AuthorizeInput) => Granted | Refusal | Promise<Granted | Refusal>;

export function defaultAuthorize(authMode: Config["authMode"]): Authorize {
  return authMode === "none" ? () => ({ ok: true, isPublic: true }) : () => refuseUnauthenticated();
}

export function refuseUnauthenticated(): Refusal {
  return refuse("unauthenticated", "This server has no projects that could vouch for a token yet.", {
    hint: "For local development set AUTH_MODE=none; to use your own tokens, mount the server with an `authorize` hook.",
    headers: { "WWW-Authenticate": "Bearer" },
  });
}
