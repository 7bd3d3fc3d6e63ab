/** `TENANCY=single` with `PROJECT_SECRET`: a single project that needs no registry. */

import {
  DEFAULT_SETTINGS,
  RECORD_KEY_PREFIX,
  type ProjectRecord,
  type ProjectSecret,
} from "@durable-streams-cloudflare/core/contracts/project-record";

import type { RegistryStore } from "./registry.ts";

/** The name of the one project with `TENANCY=single`. */
export const SINGLE_PROJECT = "default";

/** The secrets of the single project: none if `PROJECT_SECRET` is empty. */
export function staticSecrets(secret: string): readonly ProjectSecret[] {
  return secret === "" ? [] : [{ kid: "static", secret, createdAtMs: 0 }];
}

/** Adds the single project to a registry. With an empty secret, returns the registry unchanged. */
export function staticRegistryStore(store: RegistryStore, secret: string): RegistryStore {
  if (secret === "") return store;
  const record: ProjectRecord = {
    ...DEFAULT_SETTINGS,
    name: SINGLE_PROJECT,
    createdAtMs: 0,
    secrets: staticSecrets(secret),
    readUrlsFromMs: 0,
  };
  const text = JSON.stringify(record);
  return { get: async (key) => (key === RECORD_KEY_PREFIX + SINGLE_PROJECT ? text : store.get(key)) };
}
