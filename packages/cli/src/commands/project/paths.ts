export const PROJECTS = "/v1/projects";

export interface Secret {
  readonly kid: string;
  readonly secret: string;
}

/** As the server describes it, with settings that a newer server may have more of. */
export interface Project {
  readonly name: string;
  readonly createdAtMs: number;
  /** Read URLs that were signed before are void. */
  readonly readUrlsFromMs: number;
  readonly secrets: readonly { readonly kid: string; readonly createdAtMs: number }[];
  readonly [setting: string]: unknown;
}

export function projectPath(name: string): string {
  return `${PROJECTS}/${encodeURIComponent(name)}`;
}
