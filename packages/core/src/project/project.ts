/** A project as the edge holds it: its record, with the keys of its secrets imported once. */

import type { ProjectRecord } from "../contracts/project-record.ts";

export interface Project {
  readonly record: ProjectRecord;
  /** By `kid`, newest first. */
  readonly keys: ReadonlyMap<string, CryptoKey>;
}

export async function projectOf(record: ProjectRecord): Promise<Project> {
  const entries = record.secrets.map(async ({ kid, secret }) => [kid, await importSecret(secret)] as const);
  return { record, keys: new Map(await Promise.all(entries)) };
}

/** A secret as the HMAC key that its tokens are signed with. */
export function importSecret(secret: string): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}
