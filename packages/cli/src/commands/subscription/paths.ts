import { BASE_PATH } from "../../connection.ts";
import type { Server } from "../../server.ts";

/** The path of the protocol's subscriptions, within the project if there is one. */
export function subscriptionPath({ connection }: Server, ...segments: readonly string[]): string {
  const { project, basePath = BASE_PATH } = connection;
  const path = [...(project === undefined ? [] : [project]), "__ds", "subscriptions", ...segments];
  return `${basePath}/${path.map(encodeURIComponent).join("/")}`;
}
