import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { CliError, reasonOf } from "./failure.ts";
import { writeAtomically } from "./files.ts";
import type { Io } from "./io.ts";

/** A server that has a name. Secrets are never in a profile. */
export interface Profile {
  readonly url: string;
  /** What names of streams are relative to; none where the server has a single project. */
  readonly project?: string;
}

type Profiles = Readonly<Record<string, Profile>>;

/** `$XDG_CONFIG_HOME/durable-streams/profiles.json`. */
export function profilesPath(env: Io["env"]): string {
  const base = env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config");
  return join(base, "durable-streams", "profiles.json");
}

/** @throws CliError when the file is there and cannot be used. */
export function readProfiles(env: Io["env"]): Profiles {
  const path = profilesPath(env);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Profiles;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new CliError(`The profiles in ${path} cannot be read.`, {
      code: "profiles-unreadable",
      why: reasonOf(error),
      fix: `correct the file, or remove it: rm ${path}`,
    });
  }
}

/** Atomically: a crash leaves the old profiles or the new ones. */
export function writeProfile(env: Io["env"], name: string, profile: Profile): void {
  writeProfiles(env, { ...readProfiles(env), [name]: profile });
}

export function removeProfile(env: Io["env"], name: string): void {
  const { [name]: removed, ...others } = readProfiles(env);
  if (removed !== undefined) writeProfiles(env, others);
}

function writeProfiles(env: Io["env"], profiles: Profiles): void {
  writeAtomically(profilesPath(env), `${JSON.stringify(profiles, undefined, 2)}\n`, 0o600);
}
