/** Who is let in, by `AUTH_MODE` and by the `authorize` hook of an application that mounts the server. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { isSameText } from "@durable-streams-cloudflare/core/project/reader-key";
import type { Result } from "@durable-streams-cloudflare/protocol";

import type { Fetch } from "../outbound/bounded-fetch.ts";
import type { HttpRequest } from "../ports.ts";
import { noteCaller } from "../requests/request-notes.ts";
import type { Access, ProjectPorts } from "../routing/edge-ports.ts";
import { defaultAuthorize, grantEverything, type Authorize } from "./authorize.ts";
import { bearerOf, tokenClaims, type ClaimsSource } from "./claims-source.ts";
import { projectAuthorize } from "./project-authorize.ts";
import { proxyClaims } from "./proxy-claims.ts";
import type { WakeProof } from "./wake-guard.ts";

type AuthMode = Pick<Config, "authMode">;

const ACCESS = { none: "everybody", project: "tokens", "trusted-header": "proxy" } as const;

/** Whom the server lets in. */
export function accessOf({ authMode }: AuthMode, hook: Authorize | undefined): Access {
  return hook === undefined ? ACCESS[authMode] : "hook";
}

/** What the edge checks of a wake's token. */
export function wakeProofOf({ authMode }: AuthMode, hook: Authorize | undefined): WakeProof {
  if (hook !== undefined) return "form";
  return authMode === "none" ? "nothing" : "tag";
}

/**
 * The source that `AUTH_MODE` selects.
 * @param send fetches the keys of token issuers. Without it, the platform's `fetch` does.
 */
export function claimsSourceOf(
  { authMode, tenancy }: Pick<Config, "authMode" | "tenancy">,
  send?: Fetch,
): ClaimsSource {
  return authMode === "trusted-header" ? proxyClaims(tenancy) : tokenClaims(send);
}

/** Decides each request: by the hook if there is one, otherwise by `AUTH_MODE`. */
export function authorizeOf(
  { authMode }: AuthMode,
  hook: Authorize | undefined,
  projects: ProjectPorts | undefined,
): Authorize {
  if (hook !== undefined) return hook;
  return authMode !== "none" && projects !== undefined ? projectAuthorize(projects) : defaultAuthorize(authMode);
}

/** Decides what concerns whole projects, where no token is needed for anything. */
export function authorizeAllOf(config: AuthMode, hook: Authorize | undefined): ProjectPorts["authorizeAll"] {
  return accessOf(config, hook) === "everybody" ? (request) => grantEverything({ request }) : undefined;
}

/**
 * Decides what concerns the server as a whole: by `ADMIN_SECRET`, or as `authorizeAll` does where no token is needed.
 * @returns whether the request may do it; `undefined` if it may not as an administrator, but perhaps otherwise.
 */
export async function authorizeAdmin(
  request: HttpRequest,
  { adminSecret }: Pick<Config, "adminSecret">,
  { authorizeAll }: Pick<ProjectPorts, "authorizeAll">,
): Promise<Result<object> | undefined> {
  if (authorizeAll !== undefined) return authorizeAll(request);
  const bearer = bearerOf(request);
  if (adminSecret === "" || bearer === null || !(await isSameText(bearer, adminSecret))) return undefined;
  noteCaller(request, "admin");
  return { ok: true };
}
