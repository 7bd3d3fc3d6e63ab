import { parseConfig, SETTINGS } from "@durable-streams-cloudflare/core/config";

import { isLoopback } from "./banner.ts";
import { EXIT, Failure } from "./failure.ts";

type Settings = Readonly<Record<string, unknown>>;

export interface SettingSources {
  /** Of wrangler.toml, and of .dev.vars where that is read. */
  readonly configured: Settings;
  /** Of `--var`. */
  readonly given: Readonly<Record<string, string>>;
  /** Only secrets are taken from it: a command line is seen by everybody on the machine. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The address that the server listens on. */
  readonly host: string;
}

/** What a pasted curl line needs. wrangler.toml and .dev.vars do not change these: they speak of the deployment. */
const LOCAL_DEFAULTS = { TENANCY: "single", AUTH_MODE: "none" } as const;

/** One isolate serves everybody here, and has more than the 128 MB of one on Cloudflare. */
const MACHINE_DEFAULTS = { BODIES_BYTES_MAX: String(256 * 1024 * 1024) } as const;

/** Secrets by which a server knows whom it may let in. Whoever sets one wants tokens to be asked for. */
const SECRETS_OF_TOKENS = ["PROJECT_SECRET", "ADMIN_SECRET"] as const;

/** The names of the settings that are secrets. */
export const SECRETS: readonly string[] = Object.entries(SETTINGS).flatMap(([name, setting]) =>
  "isSecret" in setting ? [name] : [],
);

/**
 * The settings that the server runs with: those of wrangler.toml, then the local defaults, then secrets of the
 * environment, then `--var`.
 * @throws Failure when `--var` names no setting, or a secret, or any value is refused by the server's own parser.
 */
export function localSettings({ configured, given, environment, host }: SettingSources): Settings {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(SETTINGS, name)) {
      throw new Failure(
        `--var ${name}: there is no such setting.`,
        `settings are ${Object.keys(SETTINGS).join(" ")}`,
        EXIT.usage,
      );
    }
    if (SECRETS.includes(name)) {
      throw new Failure(
        `--var ${name}: a command line is seen by everybody on the machine.`,
        `set it in the environment: export ${name}=…`,
        EXIT.usage,
      );
    }
  }
  const secrets = Object.fromEntries(SECRETS.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
  const implied = impliedAuthMode({ ...configured, ...secrets }) === undefined ? {} : { AUTH_MODE: "project" };
  // Who listens for other machines without tokens has said that it is meant: see `refuseUnmeantExposure`.
  const openTo = isLoopback(host) ? {} : { OPEN_TO: "everybody" };
  const merged = { ...MACHINE_DEFAULTS, ...configured, ...LOCAL_DEFAULTS, ...implied, ...openTo, ...secrets, ...given };
  const settings = { ...webhookDefault(merged), ...merged };
  try {
    parseConfig(settings);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Failure(message, "change these in --var NAME:VALUE, or in the environment for secrets", EXIT.usage);
  }
  return settings;
}

/** Whoever uses a server that is open to this machine only may call all of the machine without it, so webhooks may, too. */
function webhookDefault({ AUTH_MODE, OPEN_TO, ORIGIN_SECRET = "" }: Readonly<Record<string, unknown>>): Settings {
  // With a secret between it and its proxy it is open to whoever the proxy is open to.
  const isOwnMachines = AUTH_MODE === "none" && OPEN_TO !== "everybody" && ORIGIN_SECRET === "";
  return isOwnMachines ? { WEBHOOK_LOOPBACK: "allow" } : {};
}

/** The secret because of which tokens are asked for although no setting says so; `undefined`: there is none. */
function impliedAuthMode(settings: Settings): string | undefined {
  return SECRETS_OF_TOKENS.find((name) => settings[name] !== undefined && settings[name] !== "");
}

/**
 * A server that other machines reach and that lets everybody do everything must be meant.
 * @param given as `--var` and the environment say it.
 * @throws Failure when only the defaults say so.
 */
export function refuseUnmeantExposure(host: string, { given, environment }: ExposureSources): void {
  if (given["AUTH_MODE"] !== undefined || isLoopback(host) || impliedAuthMode(environment) !== undefined) return;
  throw new Failure(
    `On ${host} everybody who reaches this machine could read and change everything.`,
    "ask for tokens: --var AUTH_MODE:project; or say that it is meant: --var AUTH_MODE:none",
    EXIT.usage,
  );
}

type ExposureSources = Pick<SettingSources, "given" | "environment">;

/** Empty unless a secret has decided that tokens are asked for. */
export function formatImpliedAuthMode({ given }: Pick<SettingSources, "given">, settings: Settings): string {
  const secret = impliedAuthMode(settings);
  if (secret === undefined || given["AUTH_MODE"] !== undefined) return "";
  return `! ${secret} is set, so requests need tokens: AUTH_MODE is project. To let everybody in: --var AUTH_MODE:none\n`;
}
