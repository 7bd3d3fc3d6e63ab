import type { Server } from "../../server.ts";

/** The path of a session, within the project if there is one. */
export function sessionPath({ connection: { project } }: Server, session: string): string {
  const path = [...(project === undefined ? [] : [project]), session].map(encodeURIComponent).join("/");
  return `/v1/estuary/${path}`;
}

/** The path of a source's followers. */
export function sourcePath({ connection: { project } }: Server, source: string): string {
  const path = [...(project === undefined ? [] : [project]), ...source.split("/")].map(encodeURIComponent).join("/");
  return `/v1/estuary/subscribe/${path}`;
}
