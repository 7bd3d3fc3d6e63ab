/**
 * The interface for deciding who may do what. The server has a default for each `AUTH_MODE`; a Worker that mounts the server
 * may supply its own.
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { ProjectLimits, StreamDefaults } from "@durable-streams-cloudflare/core/contracts/project-record";
import type { Scope } from "@durable-streams-cloudflare/core/project/rights";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import type { Signer } from "./token.ts";

export type { Scope, Signer };

/**
 * One question to the `authorize` hook: may this request do `scope` to `stream`?
 *
 * Decide by `project`, `stream` and `scope`, never by the URL or method of `request`: creating a fork asks a second time, with
 * the same PUT request, whether its source may be read. A subscription of the protocol is asked about as the stream
 * `__ds/subscriptions/<id>`; whoever may create one learns the tail of every stream in the project.
 */
export interface AuthorizeInput<Incoming extends HttpRequest = HttpRequest> {
  readonly request: Incoming;
  readonly project: string;
  readonly stream: string;
  readonly scope: Scope;
  /**
   * If set, only a bearer token or the claims of a trusted proxy count: neither a credential in the URL nor the fact that the
   * stream is public. Rights to a session belong to the session or its owner.
   */
  readonly isBearerOnly?: boolean;
}

/** The decision that a request is authorized, and on what terms. */
export interface Granted {
  readonly ok: true;
  /** Whether anyone may read this, so that shared caches may store it. */
  readonly isPublic: boolean;
  /** Whether the right may be revoked: caches that store a copy must then revalidate it within minutes. */
  readonly isRevocable?: boolean;
  /** The only incarnation of the stream that may be read; without it, any. */
  readonly incarnation?: number;
  /** The rate limit that the request counts against: by default the project's limit for tokens. */
  readonly budget?: "public";
  /** The project's limits. */
  readonly limits?: ProjectLimits;
  /** The project's defaults for properties that a creation does not specify. */
  readonly defaults?: StreamDefaults;
  /** When the right to read ends, in ms since the epoch: live reads end then. */
  readonly expiresAtMs?: number;
  /**
   * Makes the same decision again, from what is known by then. A live read calls this every `SSE_HEARTBEAT_SECONDS`, and ends
   * when it is refused. Without it, a live read lasts its full time, whatever is revoked meanwhile.
   */
  readonly again?: () => Promise<Granted | Refusal>;
  /** Who was authorized: the key, and the user that the token was issued for. Absent if unknown. */
  readonly by?: Signer;
}

/**
 * Decides one request. Return a refusal (`unauthenticated`, `forbidden`, …) to deny it. An exception means that the hook itself
 * failed, and is answered with 500.
 */
export type Authorize<Incoming extends HttpRequest = HttpRequest> = (
  input: AuthorizeInput<Incoming>,
) => Granted | Refusal | Promise<Granted | Refusal>;

/** Authorizes requests with `AUTH_MODE=none`, and refuses all with any other if there is no registry of projects. */
export function defaultAuthorize(authMode: Config["authMode"]): Authorize {
  return authMode === "none" ? grantEverything : () => refuseUnauthenticated();
}

/**
 * Grants everything, except on Cloudflare's network: there, a Worker without authentication would be open to the whole
 * internet.
 */
export function grantEverything({ request }: { readonly request: Pick<HttpRequest, "headers"> }): Granted | Refusal {
  if (request.headers.get("CF-Ray") === null) return { ok: true, isPublic: true };
  return refuse(
    "unauthenticated",
    "With AUTH_MODE=none, requests that come through Cloudflare's network are refused.",
    {
      hint: "Deploy with AUTH_MODE=project, or mount the server with an `authorize` hook of your own.",
      headers: { "WWW-Authenticate": "Bearer" },
    },
  );
}

export function refuseUnauthenticated(): Refusal {
  return refuse("unauthenticated", "This server has no projects, so it cannot verify tokens.", {
    hint: "Bind REGISTRY and PROJECTS, mount an `authorize` hook, or, for local development, set AUTH_MODE=none.",
    headers: { "WWW-Authenticate": "Bearer" },
  });
}
