import type { Server } from "../../server.ts";

/** The path of the protocol's subscriptions, within the project if there is one. */
export function subscriptionPath({ connection: { project } }: Server, ...segments: readonly string[]): string {
  const path = [...(project === undefined ? [] : [project]), "__ds", "subscriptions", ...segments];
  return `/v1/stream/${path.map(encodeURIComponent).join("/")}`;
}
