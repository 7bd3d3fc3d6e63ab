import { optionNamed } from "@durable-streams-cloudflare/node/config";

import { SECRETS } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Empty unless the environment has the plain name of a setting, or `PORT`: by those names, only secrets are read from it.
 * @param given the settings that were chosen.
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
  if (name === "PORT") return `Fix: --port ${value}, or DS_SERVER__PORT=${value}`;
  const option = optionNamed(name);
  if (option === undefined || given[name] !== undefined) return undefined;
  return `Fix: --var ${name}:${value}, or ${option.variable}=${value}`;
}
