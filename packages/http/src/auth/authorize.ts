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
 * Decide by `project`, `stream` and `scope`, never by the URL or method of `request`: a fork asks a second time, with its
 * own PUT request, whether its source may be read. A subscription of the protocol is asked about as the stream
 * `__ds/subscriptions/<id>`: whoever may create it learns where all streams of the project end.
 */
export interface AuthorizeInput<Incoming extends HttpRequest = HttpRequest> {
  readonly request: Incoming;
  readonly project: string;
  readonly stream: string;
  readonly scope: Scope;
  /**
   * Nothing in the URL counts, and neither does that everybody may read the stream: the right is the session's or its owner's.
   */
  readonly isBearerOnly?: boolean;
}

export interface Granted {
  readonly ok: true;
  /** Whether everybody may read this, so that shared caches may keep it. */
  readonly isPublic: boolean;
  /** Whether that may end soon: whoever keeps a copy must ask again within minutes. */
  readonly isRevocable?: boolean;
  /** The incarnation of the stream that may be read; without it, whichever is there. */
  readonly incarnation?: number;
  /** Which of the project's requests a minute this is one of: by default those of its tokens. */
  readonly budget?: "public";
  /** What the project may use. */
  readonly limits?: ProjectLimits;
  /** What a stream is that is created without saying so. */
  readonly defaults?: StreamDefaults;
  /** When the right to read ends, in ms: live reads end then. */
  readonly expiresAtMs?: number;
  /**
   * Decides the same once more, from what is known by now. A live read asks this every `SSE_HEARTBEAT_SECONDS`, and ends when
   * it is refused; without it, a live read lasts as long as it may, whatever is revoked meanwhile.
   */
  readonly again?: () => Promise<Granted | Refusal>;
  /** Who was let in: by which key, and for which user. Without it nobody knows. */
  readonly by?: Signer;
}

/** Decides one request. Return a refusal (`unauthenticated`, `forbidden`, …); throw only on a fault of your own. */
export type Authorize<Incoming extends HttpRequest = HttpRequest> = (
  input: AuthorizeInput<Incoming>,
) => Granted | Refusal | Promise<Granted | Refusal>;

/** `AUTH_MODE=none`, and `project` where there is no registry of projects. */
export function defaultAuthorize(authMode: Config["authMode"]): Authorize {
  return authMode === "none" ? grantEverything : () => refuseUnauthenticated();
}

/** For this machine only: a Worker that Cloudflare runs is open to the whole internet. */
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
