import { readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { CliError, reasonOf, usageError } from "./failure.ts";
import { writeAtomically } from "./files.ts";
import type { Io } from "./io.ts";

/** A server under a name. A profile never contains secrets. */
export interface Profile {
  readonly url: string;
  /** The project that stream names are relative to; absent on a server with a single project. */
  readonly project?: string;
}

type Profiles = Readonly<Record<string, Profile>>;

/** The profile that is used unless another one was chosen. */
const PROFILE_DEFAULT = "default";

/** `$XDG_CONFIG_HOME/durable-streams/profiles.json`. */
export function profilesPath(env: Io["env"]): string {
  const base = env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config");
  return join(base, "durable-streams", "profiles.json");
}

/** @throws CliError when the file exists but cannot be read. */
export function readProfiles(env: Io["env"]): Profiles {
  const path = profilesPath(env);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Profiles;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new CliError(`The profiles in ${path} cannot be read.`, {
      code: "profiles-unreadable",
      why: reasonOf(error),
      fix: `correct the file or remove it: rm ${path}`,
    });
  }
}

/** Writes atomically: a crash leaves either the old profiles or the new ones. */
export function writeProfile(env: Io["env"], name: string, profile: Profile): void {
  writeProfiles(env, { ...readProfiles(env), [name]: profile });
}

export function removeProfile(env: Io["env"], name: string): void {
  const { [name]: removed, ...others } = readProfiles(env);
  if (removed !== undefined) writeProfiles(env, others);
  if (usedProfile(env) === name) rmSync(usedPath(env), { force: true });
}

export function isProfileName(name: string): boolean {
  return /^[\w][\w.-]{0,62}$/.test(name) && name !== "__proto__";
}

/** @throws CliError when the profile does not exist. */
export function knownProfile(env: Io["env"], name: string): Profile {
  const profiles = readProfiles(env);
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return profile;
  const known = Object.keys(profiles).join(", ") || "none yet; add one with durable-streams profile add";
  throw usageError(
    `The profile ${JSON.stringify(name)} does not exist.`,
    `use --profile NAME or --url URL. Profiles: ${known}`,
  );
}

/** The profile that commands use without `--profile`. */
export function usedProfile(env: Io["env"]): string {
  try {
    return readFileSync(usedPath(env), "utf8").trim() || PROFILE_DEFAULT;
  } catch {
    return PROFILE_DEFAULT; // No profile has been chosen.
  }
}

export function useProfile(env: Io["env"], name: string): void {
  writeAtomically(usedPath(env), `${name}\n`, 0o600);
}

function usedPath(env: Io["env"]): string {
  return join(dirname(profilesPath(env)), "profile-in-use");
}

function writeProfiles(env: Io["env"], profiles: Profiles): void {
  writeAtomically(profilesPath(env), `${JSON.stringify(profiles, undefined, 2)}\n`, 0o600);
}
