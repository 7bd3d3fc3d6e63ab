/**
 * The paths of streams and of the protocol's subscriptions. The edge routes by them, and subscriptions put them into their
 * callback URLs.
 */

import { RESERVED_SEGMENT } from "@durable-streams-cloudflare/protocol";

import type { Config } from "../config.ts";

/** What decides how the paths of streams look. */
export type PathConfig = Pick<Config, "tenancy" | "streamRoot">;

/** The path of a project's `__ds`, percent-encoded. */
export function controlPathOf(project: string, { tenancy, streamRoot }: PathConfig): string {
  const prefix = tenancy === "single" ? "" : `${encodeURIComponent(project)}/`;
  return streamRoot + prefix + RESERVED_SEGMENT;
}
