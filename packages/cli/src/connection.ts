/** Where the server is and who asks: flags before environment before profile. Secrets come from the environment only. */

import { usageError } from "./failure.ts";
import type { Io } from "./io.ts";
import { readProfiles, type Profile } from "./profiles.ts";

/** Flags of the whole program. */
export interface Globals {
  readonly url?: string;
  readonly project?: string;
  readonly profile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export interface Connection {
  /** Without a slash at its end. */
  readonly url: string;
  /** `undefined`: names of streams are whole paths, and the project of a server that has only one is `default`. */
  readonly project: string | undefined;
  /** As it came. */
  readonly token: string | undefined;
  /** Signs tokens of the project. */
  readonly secret: string | undefined;
  readonly adminSecret: string | undefined;
}

export const ENVIRONMENT = {
  url: "DURABLE_STREAMS_URL",
  project: "DURABLE_STREAMS_PROJECT",
  profile: "DURABLE_STREAMS_PROFILE",
  token: "DURABLE_STREAMS_TOKEN",
  secret: "DURABLE_STREAMS_SECRET",
  adminSecret: "DURABLE_STREAMS_ADMIN_SECRET",
} as const;

/** The project of a server with `TENANCY=single`. */
export const SINGLE_PROJECT = "default";

const LOCAL_URL = "http://localhost:4437";
const PROFILE_DEFAULT = "default";

/** @throws CliError when a profile that was asked for is not there, or a URL is none. */
export function resolveConnection(globals: Globals, env: Io["env"]): Connection {
  const given = (name: keyof typeof ENVIRONMENT): string | undefined => env[ENVIRONMENT[name]] || undefined;
  const profile = findProfile(globals.profile ?? given("profile"), env);
  const url = globals.url ?? given("url") ?? profile?.url ?? LOCAL_URL;
  const isProfiles = url === profile?.url;
  return {
    url: parseServerUrl(url),
    // A project belongs to the server that it is on.
    project: globals.project ?? given("project") ?? (isProfiles ? profile.project : undefined),
    token: given("token"),
    secret: given("secret"),
    adminSecret: given("adminSecret"),
  };
}

/** The URL of a server without a slash at its end. @throws CliError */
export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw usageError(`The URL of the server is not usable: ${text}`, "--url https://streams.example.com");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function findProfile(name: string | undefined, env: Io["env"]): Profile | undefined {
  const profiles = readProfiles(env);
  const profile = profiles[name ?? PROFILE_DEFAULT];
  if (name !== undefined && profile === undefined) {
    const known = Object.keys(profiles).join(", ") || "there are none yet; durable-streams setup makes one";
    throw usageError(
      `There is no profile ${JSON.stringify(name)}.`,
      `--profile NAME, or --url URL. Profiles: ${known}`,
    );
  }
  return profile;
}
