export const PROJECTS = "/v1/projects";

export interface Secret {
  readonly kid: string;
  readonly secret: string;
}

/** A project in the server's form. A newer server may have more settings. */
export interface Project {
  readonly name: string;
  readonly createdAtMs: number;
  /** Read URLs that were signed before this time are invalid. */
  readonly readUrlsFromMs: number;
  readonly secrets: readonly { readonly kid: string; readonly createdAtMs: number }[];
  readonly [setting: string]: unknown;
}

export function projectPath(name: string): string {
  return `${PROJECTS}/${encodeURIComponent(name)}`;
}
