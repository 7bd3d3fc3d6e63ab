/** Who may do what concerns the server as a whole: whoever has `ADMIN_SECRET`, or everybody on a server without tokens. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { isSameText } from "@durable-streams-cloudflare/core/project/reader-key";
import type { Result } from "@durable-streams-cloudflare/protocol";

import type { HttpRequest } from "../ports.ts";
import { noteCaller } from "../requests/request-notes.ts";
import type { ProjectPorts } from "../routing/edge-ports.ts";
import { bearerOf } from "./claims-source.ts";

/** @returns whether the request may do it; `undefined` if it may not as an administrator, but perhaps otherwise. */
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
