/** Finds where in an application the server is mounted, and what a request asks of the server below that path. */

import type { Arrival, NodeRequest } from "../http/incoming-request.ts";
import { pathOf } from "../http/incoming-request.ts";

/** The part of a URL, or of a request's target, that is below the mount path. */
type Below = Pick<Arrival, "mountPath" | "target">;

/** What Express and Connect add to a request. */
interface Routed {
  /** The target as it came, before a router removed the path that it is mounted below. */
  readonly originalUrl?: unknown;
  /** The path that the routers removed. Connect does not have it. */
  readonly baseUrl?: unknown;
}

/**
 * Checks the path that an application mounts the server below.
 * @returns the path without a slash at its end; `""` for the root.
 * @throws Error if it is not a path.
 */
export function parseBasePath(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  if (trimmed === "" || /^(?:\/[\w.~!$&'()+,;=:@%-]+)+$/.test(trimmed)) return trimmed;
  throw new Error(`basePath must be a path such as "/api/streams", but it is ${JSON.stringify(path)}.`);
}

/**
 * Removes the mount path from a target.
 * @param target the path and query of a request.
 * @returns the target itself if it is not below the path: then the framework has removed the path already.
 */
export function removeBasePath(target: string, basePath: string): string {
  if (!target.startsWith(basePath)) return target;
  const rest = target.slice(basePath.length);
  if (rest === "" || rest.startsWith("?")) return `/${rest}`;
  return rest.startsWith("/") ? rest : target;
}

/**
 * Where the server is mounted for a request of Node.js: below `basePath`, or below the path that Express or Connect has removed
 * from the request's target.
 */
export function mountOf(message: NodeRequest, basePath: string): Below {
  const target = pathOf(message.url ?? "/");
  const { originalUrl, baseUrl } = message as Routed;
  const original = typeof originalUrl === "string" ? pathOf(originalUrl) : target;
  if (basePath !== "") {
    // The original target decides: what is left of it after a router may begin with the same path again.
    const below = removeBasePath(original, basePath);
    return { mountPath: basePath, target: below === original ? target : below };
  }
  const removed = typeof baseUrl === "string" ? baseUrl : removedFrom(original, target);
  return removed === "" ? { target } : { mountPath: removed.replace(/\/+$/, ""), target };
}

function removedFrom(original: string, target: string): string {
  return original !== target && original.endsWith(target) ? original.slice(0, -target.length) : "";
}
