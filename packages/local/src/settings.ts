import { parseConfig, SETTINGS } from "@durable-streams-cloudflare/core/config";
import { impliedBy, isUnmeantExposure, machineDefaults } from "@durable-streams-cloudflare/node/config";

import { EXIT, Failure } from "./failure.ts";

type Settings = Readonly<Record<string, unknown>>;

/** Where the values of settings come from. */
export interface SettingSources {
  /** The values of wrangler.toml and, where it is read, of .dev.vars. */
  readonly configured: Settings;
  /** The settings that somebody has chosen. */
  readonly given: Readonly<Record<string, string>>;
  /** Only secrets are read from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The address that the server listens on. */
  readonly host: string;
}

/** The names of the settings that are secrets. */
export const SECRETS: readonly string[] = Object.entries(SETTINGS).flatMap(([name, setting]) =>
  "isSecret" in setting ? [name] : [],
);

/**
 * The settings that the server runs with. Later ones override earlier ones: the defaults of a machine, wrangler.toml (except
 * what is about the deployment), secrets of the environment, what is given.
 * @throws Failure when an unknown setting is given, or the server's own parser refuses a value.
 */
export function localSettings({ configured, given, environment, host }: SettingSources): Settings {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown !== undefined) {
    throw new Failure(
      `The server has no setting ${unknown}.`,
      `use one of ${Object.keys(SETTINGS).join(" ")}`,
      EXIT.usage,
    );
  }
  const secrets = secretsOf(environment);
  const deployed = Object.fromEntries(Object.entries(configured).filter(([name]) => !OF_DEPLOYMENTS.has(name)));
  const chosen = { ...deployed, ...secrets, ...given };
  const defaults = [...machineDefaults({ host, chosen })].map(([name, { value }]) => [name, value]);
  const settings = { ...Object.fromEntries(defaults), ...chosen };
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

/** What wrangler.toml says of these is for Cloudflare. Here one isolate serves all clients, so sharing gains the most. */
const OF_DEPLOYMENTS: ReadonlySet<string> = new Set(["TENANCY", "AUTH_MODE", "SHARED_APPENDS", "SHARED_READS"]);

/** An empty variable is one that is not set. */
function secretsOf(environment: SettingSources["environment"]): Readonly<Record<string, string>> {
  return Object.fromEntries(SECRETS.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

/**
 * A server that other machines can reach and that needs no tokens must have been requested explicitly.
 * @throws Failure when it only follows from the defaults.
 */
export function refuseUnmeantExposure(host: string, { given, environment }: ExposureSources): void {
  if (!isUnmeantExposure({ host, chosen: { ...secretsOf(environment), ...given } })) return;
  throw new Failure(
    `On ${host}, everybody who can reach this machine could read, write and delete every stream.`,
    "require tokens: --var AUTH_MODE:project; or confirm that this is intended: --var AUTH_MODE:none",
    EXIT.usage,
  );
}

type ExposureSources = Pick<SettingSources, "given" | "environment">;

/** Empty unless a secret implies that requests need tokens. */
export function formatImpliedAuthMode({ given }: Pick<SettingSources, "given">, settings: Settings): string {
  const secret = impliedBy(settings);
  if (secret === undefined || given["AUTH_MODE"] !== undefined) return "";
  return (
    `! ${secret} is set, so requests need tokens (AUTH_MODE is project).\n` +
    "  To allow requests without tokens: --var AUTH_MODE:none\n"
  );
}
