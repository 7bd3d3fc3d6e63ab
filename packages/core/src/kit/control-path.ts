/**
 * The paths of streams and of the protocol's subscriptions. The edge routes by them, and subscriptions put them into their
 * callback URLs.
 */

import { RESERVED_SEGMENT } from "@durable-streams-cloudflare/protocol";

import type { Config } from "../config.ts";

/** The protocol's root, in every tenancy. */
export const STREAM_ROOT = "/v1/stream/";

/** The path of a project's `__ds`, percent-encoded. */
export function controlPathOf(project: string, tenancy: Config["tenancy"]): string {
  const prefix = tenancy === "single" ? "" : `${encodeURIComponent(project)}/`;
  return STREAM_ROOT + prefix + RESERVED_SEGMENT;
}
