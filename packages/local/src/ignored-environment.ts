import { SETTINGS } from "@durable-streams-cloudflare/core/config";

import { SECRETS } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that configure other servers, with the flag that does the same here. */
const FLAG_OF: Readonly<Record<string, string>> = {
  PORT: "--port",
  DS_SERVER__PORT: "--port",
  DS_SERVER__HOST: "--host",
  DS_STORAGE__DATA_DIR: "--data-dir",
};

/**
 * Empty unless the environment has a variable that looks like a setting: only secrets are read from the environment.
 * @param given the values of `--var`.
 */
export function formatIgnoredEnvironment(environment: Environment, given: Environment): string {
  const lines = Object.entries(environment).flatMap(([name, value]) => {
    const instead = value === undefined || value === "" ? undefined : insteadOf(name, value, given);
    return instead === undefined ? [] : [`! The environment variable ${name} is ignored.\n  ${instead}\n`];
  });
  return lines.join("");
}

function insteadOf(name: string, value: string, given: Environment): string | undefined {
  if (SECRETS.includes(name)) return undefined;
  const flag = FLAG_OF[name];
  if (flag !== undefined) return `Fix: ${flag} ${value}`;
  if (Object.hasOwn(SETTINGS, name)) return given[name] === undefined ? `Fix: --var ${name}:${value}` : undefined;
  return /^DS_(?:\w+__|CONFIG$)/.test(name)
    ? "Fix: use flags (--help) or --var NAME:VALUE (docs/configuration.md)"
    : undefined;
}
