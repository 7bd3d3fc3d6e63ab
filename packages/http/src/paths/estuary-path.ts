/** What a path below `/v1/estuary` means. */

import type { Config } from "@durable-streams-cloudflare/core/config";
import { refuse, type Result } from "@durable-streams-cloudflare/protocol";

import { SINGLE_PROJECT } from "../auth/static-project.ts";
import { parseTargetPath, rawPath, STREAM_ROOT } from "./target.ts";

export const ESTUARY_ROOT = "/v1/estuary";

/** Begins the paths that name a source rather than an estuary. */
const SUBSCRIBE = "subscribe";
const ACTIONS = ["touch", "subscriptions"] as const;

/** With one of these in its query, such a path means followers of the source. */
const FOLLOWER_FILTERS = ["session", "kid", "user"] as const;

export type EstuaryPath =
  | { readonly kind: "subscribe" | "followers"; readonly project: string; readonly source: string }
  | { readonly kind: "estuary" | (typeof ACTIONS)[number]; readonly project: string; readonly estuary: string };

/**
 * `subscribe/<project>/<source…>`, or `<project>/<estuary>` with or without an action; without the project in
 * `TENANCY=single`.
 */
export function parseEstuaryPath(url: string, tenancy: Config["tenancy"]): Result<EstuaryPath> {
  const [first = "", ...rest] = rawPath(url)
    .slice(ESTUARY_ROOT.length + 1)
    .split("/");
  if (first === SUBSCRIBE) {
    const target = parseTargetPath(STREAM_ROOT + rest.join("/"), tenancy);
    if (!target.ok) return target;
    const { searchParams } = new URL(url);
    const kind = FOLLOWER_FILTERS.some((name) => searchParams.has(name)) ? "followers" : "subscribe";
    return { ok: true, kind, project: target.project, source: target.stream };
  }
  const [project, [estuary = "", action, ...more]] =
    tenancy === "single" ? [SINGLE_PROJECT, [first, ...rest]] : [first, rest];
  const kind = action === undefined ? "estuary" : ACTIONS.find((known) => known === action);
  if (project === "" || estuary === "" || kind === undefined || more.length > 0) {
    return refuse("route-not-found", `No such route exists under ${ESTUARY_ROOT}.`);
  }
  return { ok: true, kind, project, estuary };
}
