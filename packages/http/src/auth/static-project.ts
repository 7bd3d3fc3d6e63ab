/**
 * `TENANCY=single` with `PROJECT_SECRET`: a single project that needs no registry. With `AUTH_MODE=trusted-header` it needs no
 * secret either: its own URLs and wake tokens are then signed with a secret that follows from `ORIGIN_SECRET`.
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import {
  DEFAULT_SETTINGS,
  RECORD_KEY_PREFIX,
  type ProjectRecord,
  type ProjectSecret,
} from "@durable-streams-cloudflare/core/contracts/project-record";

import type { RegistryStore } from "./registry.ts";

/** The name of the one project with `TENANCY=single`. */
export const SINGLE_PROJECT = "default";

type Settings = Pick<Config, "tenancy" | "authMode" | "projectSecret" | "originSecret">;

/**
 * The secrets of the single project.
 * @param stored those of the project's record, which `PROJECT_SECRET` replaces.
 */
export function singleProjectSecrets(settings: Settings, stored: readonly ProjectSecret[]): readonly ProjectSecret[] {
  const { projectSecret } = settings;
  if (projectSecret !== "") return [secretOf(projectSecret)];
  return stored.length === 0 && isWithoutSecret(settings) ? [secretOf(derivedSecret(settings))] : stored;
}

/** Adds the single project to a registry. Returns the registry unchanged if the project must be in it. */
export function staticRegistryStore(store: RegistryStore, settings: Settings): RegistryStore {
  const key = RECORD_KEY_PREFIX + SINGLE_PROJECT;
  const replacing = settings.projectSecret !== "";
  if (!replacing && !isWithoutSecret(settings)) return store;
  const record: ProjectRecord = {
    ...DEFAULT_SETTINGS,
    name: SINGLE_PROJECT,
    createdAtMs: 0,
    secrets: singleProjectSecrets(settings, []),
    readUrlsFromMs: 0,
  };
  const text = JSON.stringify(record);
  return {
    get: async (asked) => {
      if (asked !== key) return store.get(asked);
      return replacing ? text : ((await store.get(key)) ?? text);
    },
  };
}

/** The proxy decides who may do what, so nobody needs a secret of the project. */
function isWithoutSecret({ tenancy, authMode }: Settings): boolean {
  return tenancy === "single" && authMode === "trusted-header";
}

/** Not the proxy's secret itself: that one is for nothing but the proof of the proxy. */
function derivedSecret({ originSecret }: Settings): string {
  return `trusted-header:${originSecret}`;
}

function secretOf(secret: string): ProjectSecret {
  return { kid: "static", secret, createdAtMs: 0 };
}
