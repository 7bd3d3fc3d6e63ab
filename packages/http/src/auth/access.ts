/** Who is let in, by `AUTH_MODE` and by the `authorize` hook of an application that mounts the server. */

import type { Config } from "@durable-streams-cloudflare/core/config";

import type { Access, ProjectPorts } from "../routing/edge-ports.ts";
import { defaultAuthorize, grantEverything, type Authorize } from "./authorize.ts";
import { projectAuthorize } from "./project-authorize.ts";
import type { WakeProof } from "./wake-guard.ts";

type AuthMode = Pick<Config, "authMode">;

/** Whom the server lets in. */
export function accessOf({ authMode }: AuthMode, hook: Authorize | undefined): Access {
  if (hook !== undefined) return "hook";
  return authMode === "none" ? "everybody" : "tokens";
}

/** What the edge checks of a wake's token. */
export function wakeProofOf({ authMode }: AuthMode, hook: Authorize | undefined): WakeProof {
  if (hook !== undefined) return "form";
  return authMode === "none" ? "nothing" : "tag";
}

/** Decides each request: by the hook if there is one, otherwise by `AUTH_MODE`. */
export function authorizeOf(
  { authMode }: AuthMode,
  hook: Authorize | undefined,
  projects: ProjectPorts | undefined,
): Authorize {
  if (hook !== undefined) return hook;
  return authMode === "project" && projects !== undefined ? projectAuthorize(projects) : defaultAuthorize(authMode);
}

/** Decides what concerns whole projects, where no token is needed for anything. */
export function authorizeAllOf(config: AuthMode, hook: Authorize | undefined): ProjectPorts["authorizeAll"] {
  return accessOf(config, hook) === "everybody" ? (request) => grantEverything({ request }) : undefined;
}
