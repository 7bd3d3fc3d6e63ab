/**
 * The other names of the settings: the path of each in a TOML file, such as `http.cors_origins`, and the environment variable
 * that follows from it, such as `DS_HTTP__CORS_ORIGINS`. Several are the names of the Durable Streams server in Rust, so that
 * its configuration works here.
 */

import type { SettingName } from "./settings.ts";

/** Another name of a setting. */
export interface SettingPath {
  readonly name: SettingName;
  /** In a TOML file: a table, a dot and a key. */
  readonly path: string;
  /** The environment variable. */
  readonly variable: string;
  /**
   * Present where a value of this name is not written as the setting's own.
   * @returns the value of the setting; `undefined` if the text is invalid.
   */
  readonly read?: (text: string) => string | undefined;
  /** The other way: a valid value of the setting, as this name has it. */
  readonly write?: (value: string) => string;
  /** What `read` accepts, in words. */
  readonly expects?: string;
}

/** The path of each setting. */
const PATHS: Readonly<Record<SettingName, string>> = {
  TENANCY: "server.tenancy",
  STREAM_BASE_PATH: "http.stream_base_path",
  AUTH_MODE: "auth.mode",
  ADMIN_SECRET: "auth.admin_secret",
  PROJECT_SECRET: "auth.project_secret",
  ORIGIN_SECRET: "auth.origin_secret",
  PUBLIC_URL: "http.public_url",
  OPEN_TO: "auth.open_to",
  STRANGERS_PER_MINUTE: "limits.strangers_per_minute",
  CORS_ORIGINS: "http.cors_origins",
  LONG_POLL_TIMEOUT_MS: "server.long_poll_timeout_secs",
  SSE_SESSION_SECONDS: "server.sse_reconnect_interval_secs",
  SSE_HEARTBEAT_SECONDS: "server.sse_heartbeat_interval_secs",
  SSE_BUFFER_BYTES_MAX: "limits.max_sse_buffer_bytes",
  APPEND_BYTES_MAX: "limits.max_append_bytes",
  BODIES_BYTES_MAX: "limits.max_bodies_bytes",
  BODY_TIMEOUT_SECONDS: "limits.body_timeout_secs",
  JSON_DEPTH_MAX: "limits.max_json_depth",
  READ_BYTES_MAX: "limits.max_read_bytes",
  STREAM_BYTES_MAX: "limits.max_stream_bytes",
  SEGMENT_BYTES: "storage.segment_bytes",
  SEGMENT_BYTES_MIN: "storage.min_segment_bytes",
  SEGMENT_AGE_SECONDS: "storage.segment_age_secs",
  PENDING_BYTES_MAX: "limits.max_pending_bytes",
  PENDING_APPENDS_MAX: "limits.max_pending_appends",
  READERS_MAX: "limits.max_readers",
  SESSION_TTL_SECONDS: "sessions.ttl_secs",
  WEBHOOK_LOOPBACK: "webhooks.loopback",
  OUTBOUND_ADDRESSES: "webhooks.addresses",
  WEBHOOK_TIMEOUT_SECONDS: "webhooks.timeout_secs",
  WEBHOOKS_PER_MINUTE: "webhooks.per_minute",
  WEBHOOKS_PER_HOST_PER_MINUTE: "webhooks.per_host_per_minute",
  WEBHOOK_CHALLENGE: "webhooks.challenge",
  FAN_OUT_QUEUE_ABOVE: "sessions.queue_above",
  LOG_LEVEL: "log.level",
  SHARED_APPENDS: "server.shared_appends",
  SHARED_READS: "server.shared_reads",
  SHARED_LIVE: "server.shared_live",
  SERVER_TIMING: "http.server_timing",
};

/** Names of a setting with a notation of their own, instead of the plain path or besides it. */
const NOTATIONS: readonly Omit<SettingPath, "variable">[] = [
  {
    name: "LONG_POLL_TIMEOUT_MS",
    path: "server.long_poll_timeout_secs",
    read: millisecondsOf,
    write: (ms) => String(Number(ms) / 1000),
    expects: "a number of seconds from 0.1 to 25",
  },
  {
    name: "LOG_LEVEL",
    path: "log.rust_log",
    read: levelOf,
    expects: "a filter of the Rust server, such as info or warn,durable_streams=debug",
  },
];

/** All other names of all settings. */
export const SETTING_PATHS: readonly SettingPath[] = [
  ...Object.entries(PATHS)
    .filter(([, path]) => !NOTATIONS.some((own) => own.path === path))
    .map(([name, path]) => ({ name: name as SettingName, path })),
  ...NOTATIONS,
].map((each) => ({ ...each, variable: variableOf(each.path) }));

/** The environment variable of a path: `server.port` is `DS_SERVER__PORT`. */
export function variableOf(path: string): string {
  return `DS_${path.replaceAll(".", "__").toUpperCase()}`;
}

/** The settings of an environment by their plain names. */
export interface PlainSettings {
  readonly values: { readonly [Name in SettingName]?: unknown };
  /** The names under which the environment has those that it has under another name. */
  readonly written: ReadonlyMap<SettingName, string>;
}

/**
 * Finds the settings of an environment under all of their names.
 * @param faults collects what is wrong: two names of one setting, or a value that its own notation does not have.
 */
export function byPlainName(env: Readonly<Record<string, unknown>>, faults: string[]): PlainSettings {
  const values: { [Name in SettingName]?: unknown } = {};
  for (const name of Object.keys(PATHS) as SettingName[]) if (env[name] !== undefined) values[name] = env[name];
  const written = new Map<SettingName, string>();
  for (const { name, variable, read, expects } of SETTING_PATHS) {
    const raw = env[variable];
    if (raw === undefined) continue;
    if (values[name] !== undefined) {
      faults.push(`- ${written.get(name) ?? name} and ${variable} are the same setting: remove one of them.`);
    }
    const value =
      read === undefined ? raw : read(typeof raw === "number" ? String(raw) : typeof raw === "string" ? raw : "");
    if (value === undefined) faults.push(`- ${variable} must be ${expects}, but it is ${JSON.stringify(raw)}.`);
    else {
      values[name] = value;
      written.set(name, variable);
    }
  }
  return { values, written };
}

/**
 * Variables of an environment that begin with `DS_`, as settings do, but are none: nothing reads them.
 * @param others the variables of settings that are not the server's own.
 */
export function unknownVariables(env: object, others: readonly string[] = []): readonly string[] {
  const known = new Set([...SETTING_PATHS.map(({ variable }) => variable), ...others]);
  return Object.entries(env).flatMap(([name, value]) =>
    name.startsWith("DS_") && typeof value === "string" && !known.has(name) ? [name] : [],
  );
}

/** Seconds, perhaps with a fraction, in milliseconds. */
function millisecondsOf(text: string): string | undefined {
  const [, whole, fraction = ""] = /^(\d{1,9})(?:\.(\d{1,3}))?$/.exec(text.trim()) ?? [];
  return whole === undefined ? undefined : String(Number(whole + fraction.padEnd(3, "0")));
}

/** What the server logs when a program in Rust would log this level. */
const LEVELS: Readonly<Record<string, string>> = {
  off: "off",
  error: "error",
  warn: "error",
  info: "info",
  debug: "info",
  trace: "info",
};

/**
 * The level that a filter of Rust's `tracing` means: its part without a target, or else the part that logs the most, because
 * the targets are modules of another program.
 */
function levelOf(filter: string): string | undefined {
  const parts = filter.split(",").map((part) => part.trim().toLowerCase().split("="));
  const levels = parts.map((part) => LEVELS[part.at(-1) ?? ""]);
  if (levels.includes(undefined)) return undefined;
  const general = parts.findIndex((part) => part.length === 1);
  return general >= 0 ? levels[general] : ["info", "error", "off"].find((level) => levels.includes(level));
}
