/** Where streams and the protocol's subscriptions are: the edge routes by it, and subscriptions name it in their callbacks. */

import { RESERVED_SEGMENT } from "@durable-streams-cloudflare/protocol";

import type { Config } from "../config.ts";

/** The protocol's root, in every tenancy. */
export const STREAM_ROOT = "/v1/stream/";

/** The path of a project's `__ds`, percent-encoded. */
export function controlPathOf(project: string, tenancy: Config["tenancy"]): string {
  const prefix = tenancy === "single" ? "" : `${encodeURIComponent(project)}/`;
  return STREAM_ROOT + prefix + RESERVED_SEGMENT;
}
