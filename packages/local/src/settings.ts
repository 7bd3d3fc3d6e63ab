import { parseConfig, SETTINGS } from "@durable-streams-cloudflare/core/config";

import { isLoopback } from "./banner.ts";
import { EXIT, Failure } from "./failure.ts";

type Settings = Readonly<Record<string, unknown>>;

/** Where the values of settings come from. */
export interface SettingSources {
  /** The values of wrangler.toml and, where it is read, of .dev.vars. */
  readonly configured: Settings;
  /** The values of `--var`. */
  readonly given: Readonly<Record<string, string>>;
  /** Only secrets are read from it: every user of the machine can see command lines. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The address that the server listens on. */
  readonly host: string;
}

/**
 * Defaults that make pasted curl commands work. wrangler.toml and .dev.vars, which are for the deployment, cannot change them.
 */
const LOCAL_DEFAULTS = { TENANCY: "single", AUTH_MODE: "none" } as const;

/** Here a single isolate serves all requests, and it has more memory than the 128 MB of an isolate on Cloudflare. */
const MACHINE_DEFAULTS = { BODIES_BYTES_MAX: String(256 * 1024 * 1024) } as const;

/** Secrets with which the server checks credentials. Setting one implies that requests need tokens. */
const SECRETS_OF_TOKENS = ["PROJECT_SECRET", "ADMIN_SECRET"] as const;

/** The names of the settings that are secrets. */
export const SECRETS: readonly string[] = Object.entries(SETTINGS).flatMap(([name, setting]) =>
  "isSecret" in setting ? [name] : [],
);

/**
 * The settings that the server runs with. Later ones override earlier ones: wrangler.toml, the local defaults, secrets of the
 * environment, `--var`.
 * @throws Failure when `--var` names an unknown setting or a secret, or when the server's own parser refuses a value.
 */
export function localSettings({ configured, given, environment, host }: SettingSources): Settings {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(SETTINGS, name)) {
      throw new Failure(
        `--var ${name}: the server has no setting with this name.`,
        `use one of ${Object.keys(SETTINGS).join(" ")}`,
        EXIT.usage,
      );
    }
    if (SECRETS.includes(name)) {
      throw new Failure(
        `--var ${name} is not allowed: ${name} is a secret, and every user of the machine can see command lines.`,
        `set it in the environment: export ${name}=…`,
        EXIT.usage,
      );
    }
  }
  const secrets = Object.fromEntries(SECRETS.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
  const implied = impliedAuthMode({ ...configured, ...secrets }) === undefined ? {} : { AUTH_MODE: "project" };
  // Listening for other machines without tokens was requested explicitly: see `refuseUnmeantExposure`.
  const openTo = isLoopback(host) ? {} : { OPEN_TO: "everybody" };
  const merged = { ...MACHINE_DEFAULTS, ...configured, ...LOCAL_DEFAULTS, ...implied, ...openTo, ...secrets, ...given };
  const settings = { ...webhookDefault(merged), ...merged };
  try {
    parseConfig(settings);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Failure(
      message,
      "correct the values: settings with --var NAME:VALUE, secrets in the environment",
      EXIT.usage,
    );
  }
  return settings;
}

/** Clients of a server that only this machine can reach could call the machine's services themselves, so webhooks may do so. */
function webhookDefault({ AUTH_MODE, OPEN_TO, ORIGIN_SECRET = "" }: Readonly<Record<string, unknown>>): Settings {
  // With ORIGIN_SECRET, whoever can reach the proxy can reach the server.
  const isOwnMachines = AUTH_MODE === "none" && OPEN_TO !== "everybody" && ORIGIN_SECRET === "";
  return isOwnMachines ? { WEBHOOK_LOOPBACK: "allow" } : {};
}

/** The secret that implies AUTH_MODE=project; `undefined` if there is none. */
function impliedAuthMode(settings: Settings): string | undefined {
  return SECRETS_OF_TOKENS.find((name) => settings[name] !== undefined && settings[name] !== "");
}

/**
 * A server that other machines can reach and that needs no tokens must have been requested explicitly.
 * @throws Failure when it only follows from the defaults.
 */
export function refuseUnmeantExposure(host: string, { given, environment }: ExposureSources): void {
  if (given["AUTH_MODE"] !== undefined || isLoopback(host) || impliedAuthMode(environment) !== undefined) return;
  throw new Failure(
    `On ${host}, everybody who can reach this machine could read, write and delete every stream.`,
    "require tokens: --var AUTH_MODE:project; or confirm that this is intended: --var AUTH_MODE:none",
    EXIT.usage,
  );
}

type ExposureSources = Pick<SettingSources, "given" | "environment">;

/** Empty unless a secret implies that requests need tokens. */
export function formatImpliedAuthMode({ given }: Pick<SettingSources, "given">, settings: Settings): string {
  const secret = impliedAuthMode(settings);
  if (secret === undefined || given["AUTH_MODE"] !== undefined) return "";
  return (
    `! ${secret} is set, so requests need tokens (AUTH_MODE is project).\n` +
    "  To allow requests without tokens: --var AUTH_MODE:none\n"
  );
}
