import type { Server } from "../../server.ts";

/** Of the protocol's subscriptions: below the project, where there is one. */
export function subscriptionPath({ connection: { project } }: Server, ...segments: readonly string[]): string {
  const path = [...(project === undefined ? [] : [project]), "__ds", "subscriptions", ...segments];
  return `/v1/stream/${path.map(encodeURIComponent).join("/")}`;
}
