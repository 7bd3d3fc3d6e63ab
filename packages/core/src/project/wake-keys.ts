/**
 * The keys by which the edge verifies the tags of a project's wake tokens (`contracts/wake-tag.ts`). Each is derived from one
 * of the project's secrets.
 */

import type { ProjectSecret } from "../contracts/project-record.ts";
import { isTaggedBy, wakeKeyOf } from "../contracts/wake-tag.ts";
import { importSecret, type Project } from "./project.ts";

/** By then every edge knows a new secret. */
const KNOWN_EVERYWHERE_MS = 180_000;

/** The key that tags now: of the newest secret that all edges know. `undefined`: there is no secret. */
export async function wakeKey(secrets: readonly ProjectSecret[], nowMs: number): Promise<string | undefined> {
  const secret = secrets.find(({ createdAtMs }) => createdAtMs <= nowMs - KNOWN_EVERYWHERE_MS) ?? secrets.at(-1);
  return secret && wakeKeyOf(await importSecret(secret.secret));
}

/** Whether one of the project's secrets vouches for a wake's token. */
export async function hasWakeTag(token: string, { keys }: Project): Promise<boolean> {
  for (const key of keys.values()) {
    if (await isTaggedBy(token, await wakeKeyOf(key))) return true;
  }
  return false;
}
