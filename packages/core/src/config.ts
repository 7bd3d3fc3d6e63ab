/**
 * The configuration of the server. `parseConfig` reads all settings once into a typed `Config`, and refuses all of them when
 * any value is invalid. Values come from `wrangler.toml`, from a command line, or from the dashboard, so they may be strings.
 * `docs/configuration.md` lists the same settings for operators.
 */

import { expectation, settingText } from "./setting-kinds.ts";
import { byPlainName, type PlainSettings } from "./setting-paths.ts";
import { SETTINGS, type SettingName } from "./settings.ts";

export { ARRAY_FACTOR, SETTINGS, type SettingName } from "./settings.ts";

export interface Config {
  readonly tenancy: "path" | "single";
  /** The path that the paths of streams begin with; a slash is at both ends. */
  readonly streamRoot: string;
  readonly authMode: "project" | "trusted-header" | "none";
  /** Empty if there is none. */
  readonly adminSecret: string;
  /** Empty if there is none. */
  readonly projectSecret: string;
  /** Empty if there is none. */
  readonly originSecret: string;
  /** Without a trailing slash. Empty if there is none. */
  readonly publicUrl: string;
  /** Whom the server serves with `authMode` `none`. */
  readonly openTo: "loopback" | "everybody";
  readonly strangersPerMinute: number;
  /** Allowed origins; `*` alone stands for all, and `loopback` for those of this machine. */
  readonly corsOrigins: readonly string[];
  readonly longPollTimeoutMs: number;
  readonly sseSessionSeconds: number;
  readonly sseHeartbeatSeconds: number;
  readonly sseBufferBytesMax: number;
  readonly appendBytesMax: number;
  readonly bodiesBytesMax: number;
  readonly bodyTimeoutSeconds: number;
  readonly jsonDepthMax: number;
  readonly readBytesMax: number;
  readonly segmentBytes: number;
  readonly segmentBytesMin: number;
  readonly segmentAgeSeconds: number;
  readonly pendingBytesMax: number;
  readonly pendingAppendsMax: number;
  /** 0: no limit. */
  readonly streamBytesMax: number;
  readonly readersMax: number;
  readonly sessionTtlSeconds: number;
  readonly webhookLoopback: "refuse" | "allow";
  readonly outboundAddresses: "public" | "any";
  readonly webhookTimeoutSeconds: number;
  readonly webhooksPerMinute: number;
  readonly webhooksPerHostPerMinute: number;
  readonly webhookChallenge: "off" | "required";
  readonly fanOutQueueAbove: number;
  readonly logLevel: "info" | "error" | "off";
  readonly sharedAppends: "on" | "off";
  /** Whether reads from the same offset share calls to the stream's object. */
  readonly sharedReads: "on" | "off";
  /** Whether the live readers of a stream share one channel from its object. */
  readonly sharedLive: "on" | "off";
  readonly serverTiming: "on-request" | "always" | "off";
}

/** Thrown by `parseConfig`; its message names every invalid setting, what it must be, and what it is. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the settings from a Worker's environment, by their own names or as `DS_…`. Bindings and unknown names are ignored.
 * @throws ConfigError when any setting is out of its bounds.
 */
export function parseConfig(env: object): Config {
  const faults: string[] = [];
  const plain = byPlainName(env as Readonly<Record<string, unknown>>, faults);
  const integerOf = (name: SettingName): number => Number(valueOf(plain, name, faults));
  const textOf = (name: SettingName): string => valueOf(plain, name, faults);
  const config: Config = {
    tenancy: textOf("TENANCY") === "single" ? "single" : "path",
    streamRoot: `${textOf("STREAM_BASE_PATH").replace(/\/$/, "")}/`,
    authMode: oneOf(SETTINGS.AUTH_MODE.choices, textOf("AUTH_MODE")),
    adminSecret: textOf("ADMIN_SECRET"),
    projectSecret: textOf("PROJECT_SECRET"),
    originSecret: textOf("ORIGIN_SECRET"),
    publicUrl: textOf("PUBLIC_URL").replace(/\/+$/, ""),
    openTo: oneOf(SETTINGS.OPEN_TO.choices, textOf("OPEN_TO")),
    strangersPerMinute: integerOf("STRANGERS_PER_MINUTE"),
    corsOrigins: textOf("CORS_ORIGINS")
      .split(",")
      .map((origin) => origin.trim()),
    longPollTimeoutMs: integerOf("LONG_POLL_TIMEOUT_MS"),
    sseSessionSeconds: integerOf("SSE_SESSION_SECONDS"),
    sseHeartbeatSeconds: integerOf("SSE_HEARTBEAT_SECONDS"),
    sseBufferBytesMax: integerOf("SSE_BUFFER_BYTES_MAX"),
    appendBytesMax: integerOf("APPEND_BYTES_MAX"),
    bodiesBytesMax: integerOf("BODIES_BYTES_MAX"),
    bodyTimeoutSeconds: integerOf("BODY_TIMEOUT_SECONDS"),
    jsonDepthMax: integerOf("JSON_DEPTH_MAX"),
    readBytesMax: integerOf("READ_BYTES_MAX"),
    segmentBytes: integerOf("SEGMENT_BYTES"),
    segmentBytesMin: integerOf("SEGMENT_BYTES_MIN"),
    segmentAgeSeconds: integerOf("SEGMENT_AGE_SECONDS"),
    pendingBytesMax: integerOf("PENDING_BYTES_MAX"),
    pendingAppendsMax: integerOf("PENDING_APPENDS_MAX"),
    streamBytesMax: integerOf("STREAM_BYTES_MAX"),
    readersMax: integerOf("READERS_MAX"),
    sessionTtlSeconds: integerOf("SESSION_TTL_SECONDS"),
    webhookLoopback: oneOf(SETTINGS.WEBHOOK_LOOPBACK.choices, textOf("WEBHOOK_LOOPBACK")),
    outboundAddresses: oneOf(SETTINGS.OUTBOUND_ADDRESSES.choices, textOf("OUTBOUND_ADDRESSES")),
    webhookTimeoutSeconds: integerOf("WEBHOOK_TIMEOUT_SECONDS"),
    webhooksPerMinute: integerOf("WEBHOOKS_PER_MINUTE"),
    webhooksPerHostPerMinute: integerOf("WEBHOOKS_PER_HOST_PER_MINUTE"),
    webhookChallenge: oneOf(SETTINGS.WEBHOOK_CHALLENGE.choices, textOf("WEBHOOK_CHALLENGE")),
    fanOutQueueAbove: integerOf("FAN_OUT_QUEUE_ABOVE"),
    logLevel: oneOf(SETTINGS.LOG_LEVEL.choices, textOf("LOG_LEVEL")),
    sharedAppends: oneOf(SETTINGS.SHARED_APPENDS.choices, textOf("SHARED_APPENDS")),
    sharedReads: oneOf(SETTINGS.SHARED_READS.choices, textOf("SHARED_READS")),
    sharedLive: oneOf(SETTINGS.SHARED_LIVE.choices, textOf("SHARED_LIVE")),
    serverTiming: oneOf(SETTINGS.SERVER_TIMING.choices, textOf("SERVER_TIMING")),
  };
  if (config.projectSecret !== "" && config.tenancy === "path") {
    faults.push("- PROJECT_SECRET must be empty with TENANCY=path, because the projects are then in REGISTRY.");
  }
  if (config.authMode === "trusted-header" && config.originSecret === "") {
    faults.push(
      "- ORIGIN_SECRET must be set with AUTH_MODE=trusted-header, because the proxy proves itself with it: make one with " +
        "`openssl rand -hex 32`.",
    );
  }
  if (config.publicUrl !== "" && !URL.canParse(config.publicUrl)) {
    faults.push(
      `- PUBLIC_URL must be ${expectation(SETTINGS.PUBLIC_URL)}, but it is ${JSON.stringify(config.publicUrl)}.`,
    );
  }
  if (faults.length > 0) throw new ConfigError(`The configuration is invalid:\n${faults.join("\n")}`);
  const isOwnDefault = plain.values.CORS_ORIGINS === undefined && isOnlyForLoopback(config);
  return isOwnDefault ? { ...config, corsOrigins: ["loopback"] } : config;
}

/**
 * Whether a server with these settings serves its own machine only. With an `ORIGIN_SECRET` it does not: then only the
 * proxy gets in, and it may be on another machine.
 */
export function isOnlyForLoopback(config: Pick<Config, "authMode" | "openTo" | "originSecret">): boolean {
  return config.authMode === "none" && config.openTo === "loopback" && config.originSecret === "";
}

function valueOf({ values, written }: PlainSettings, name: SettingName, faults: string[]): string {
  return settingText(SETTINGS[name], written.get(name) ?? name, values[name], faults);
}

function oneOf<Choice extends string>(choices: readonly Choice[], text: string): Choice {
  const found = choices.find((candidate) => candidate === text);
  if (found === undefined) throw new ConfigError(`${text} is not one of ${choices.join(", ")}.`);
  return found;
}
