/** The configuration of the server that the command starts: from its flags, the environment, and files. */

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import {
  resolveConfig,
  storageOf,
  telemetryOf,
  tlsOf,
  type ConfigValue,
  type Environment,
} from "@durable-streams-cloudflare/node/config";

import type { Arguments } from "./arguments.ts";
import type { Engine } from "./engine.ts";
import { EXIT, Failure } from "./failure.ts";
import type { ServerOptions } from "./options.ts";

/** What the command starts. */
export interface CommandConfig extends Omit<ServerOptions, "onFailure"> {
  readonly engine: Engine;
  readonly drainMs: number;
  /** All options, and where each value comes from. */
  readonly values: readonly ConfigValue[];
}

/** What is known besides the flags. */
export interface CommandSources {
  readonly env: Environment;
  readonly cwd: string;
  /** The data directory where nothing names one. */
  readonly dataDir: string;
  /** The variables of wrangler.toml. */
  readonly wrangler?: Readonly<Record<string, unknown>>;
}

/** @throws Failure with the exit code for wrong usage, which lists everything that is wrong. */
export function commandConfig(args: Arguments, { dataDir, ...sources }: CommandSources): CommandConfig {
  const { flags, profile, configFile, configDir } = args;
  const defaults = { "storage.data_dir": dataDir };
  const config = failing(() => resolveConfig({ flags, profile, configFile, configDir, ...sources }, defaults));
  const { valueOf, isChosen } = config;
  const storage = storageOf(config, sources.cwd);
  return {
    engine: valueOf("server.engine") === "workerd" ? "workerd" : "node",
    host: valueOf("server.host"),
    port: Number(valueOf("server.port")),
    metricsPort: isChosen("server.metrics_port") ? Number(valueOf("server.metrics_port")) : undefined,
    drainMs: Number(valueOf("server.drain_secs")) * 1000,
    dataDir: storage.dataDir ?? dataDir,
    storage,
    ...tlsOf(config, sources.cwd),
    ...telemetryOf(config),
    settings: config.chosen,
    values: config.values,
  };
}

function failing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure(
      error.message,
      "correct what is named above, then start again; docs/configuration.md lists all settings with their names",
      EXIT.usage,
    );
  }
}
