/** The server and the credentials: flags override the environment, which overrides the profile. Secrets are never flags. */

import { usageError } from "./failure.ts";
import type { Io } from "./io.ts";
import { knownProfile, readProfiles, usedProfile, type Profile } from "./profiles.ts";

/** The flags that every command accepts. */
export interface Globals {
  readonly url?: string;
  readonly project?: string;
  readonly profile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** `false` with `--no-color`. */
  readonly color?: boolean;
}

export interface Connection {
  /** The server's URL, without a trailing slash. */
  readonly url: string;
  /**
   * The project that stream names are relative to; `undefined`: stream names are whole paths. On a server with a single
   * project, that project is called `default`.
   */
  readonly project: string | undefined;
  /** The server's STREAM_BASE_PATH, without a trailing slash; default `/v1/stream`. */
  readonly basePath?: string;
  /** A token, which is sent unchanged. */
  readonly token: string | undefined;
  /** The secret that signs tokens of the project. */
  readonly secret: string | undefined;
  readonly adminSecret: string | undefined;
}

export const ENVIRONMENT = {
  url: "DURABLE_STREAMS_URL",
  project: "DURABLE_STREAMS_PROJECT",
  basePath: "DURABLE_STREAMS_BASE_PATH",
  profile: "DURABLE_STREAMS_PROFILE",
  token: "DURABLE_STREAMS_TOKEN",
  secret: "DURABLE_STREAMS_SECRET",
  adminSecret: "DURABLE_STREAMS_ADMIN_SECRET",
} as const;

/** The project of a server with `TENANCY=single`. */
export const SINGLE_PROJECT = "default";

/** Where streams are unless the server has another STREAM_BASE_PATH. */
export const BASE_PATH = "/v1/stream";

const LOCAL_URL = "http://localhost:4437";

export type Source = "flag" | "environment" | "profile" | "default";

interface Setting {
  readonly value: string | undefined;
  readonly source: Source;
}

/** @throws CliError when the requested profile does not exist, or a URL is malformed. */
export function resolveConnection(globals: Globals, env: Io["env"]): Connection {
  const given = (name: keyof typeof ENVIRONMENT): string | undefined => env[ENVIRONMENT[name]] || undefined;
  const { url, project } = resolveSettings(globals, env);
  return {
    url: parseServerUrl(url.value ?? LOCAL_URL),
    project: project.value,
    basePath: parseBasePath(given("basePath") ?? BASE_PATH),
    token: given("token"),
    secret: given("secret"),
    adminSecret: given("adminSecret"),
  };
}

/** Each setting with the source of its value. @throws CliError in the same cases as `resolveConnection`. */
export function explainConnection(
  globals: Globals,
  env: Io["env"],
): readonly { readonly name: string; readonly value: string | null; readonly source: Source }[] {
  const { url, project, profile } = resolveSettings(globals, env);
  return Object.entries({ url, project, profile }).map(([name, { value, source }]) => ({
    name,
    value: value ?? null,
    source,
  }));
}

function resolveSettings(globals: Globals, env: Io["env"]) {
  const given = (name: "url" | "project" | "profile"): Setting | undefined => {
    const [flag, variable] = [globals[name], env[ENVIRONMENT[name]] || undefined];
    if (flag !== undefined) return { value: flag, source: "flag" };
    return variable === undefined ? undefined : { value: variable, source: "environment" };
  };
  const named = given("profile");
  const profile = findProfile(named?.value, env);
  const url = given("url") ?? from(profile?.url) ?? { value: LOCAL_URL, source: "default" as const };
  // A profile's project exists only on the profile's own server.
  const ofProfile = url.value === profile?.url ? from(profile?.project) : undefined;
  const project = given("project") ?? ofProfile ?? { value: undefined, source: "default" as const };
  return { url, project, profile: named ?? { value: usedProfile(env), source: "default" as const } };
}

function from(value: string | undefined): Setting | undefined {
  return value === undefined ? undefined : { value, source: "profile" };
}

/** The URL of a server, without a trailing slash. @throws CliError when it is malformed. */
export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw usageError(`The URL of the server is malformed: ${text}`, "--url https://streams.example.com");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** @throws CliError when it is malformed. */
function parseBasePath(text: string): string {
  if (/^(?:\/[\w.~-]+)+\/?$/.test(text)) return text.replace(/\/$/, "");
  throw usageError(`${ENVIRONMENT.basePath} is malformed: ${text}`, `export ${ENVIRONMENT.basePath}=${BASE_PATH}`);
}

/** @param name the requested profile; `undefined` means the one in use, which need not exist. */
function findProfile(name: string | undefined, env: Io["env"]): Profile | undefined {
  return name === undefined ? readProfiles(env)[usedProfile(env)] : knownProfile(env, name);
}
