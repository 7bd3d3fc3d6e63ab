/** Loads the configuration of a server that a program embeds, from the same layers as `durable-streams serve`. */

import { resolve } from "node:path";

import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";

import type { ServerOptions } from "../create-server.ts";
import type { TlsOptions } from "../http/tls/certificate-files.ts";
import { STORAGE_MODES, type StorageOptions } from "../storage/modes/options.ts";
import { optionTable } from "./options.ts";
import { resolveConfig, type ConfigValue, type ResolvedConfig } from "./resolve.ts";
import { s3Of } from "./s3-options.ts";
import { telemetryOf } from "./telemetry-options.ts";

/** Where `loadConfig` looks. */
export interface ConfigLoadOptions {
  /** Reads `config/<profile>.toml` as well. By default DS_PROFILE. */
  readonly profile?: string;
  /** A file that overrides those in the folder. */
  readonly configFile?: string;
  /** The folder of the other files. By default `config`. */
  readonly configDir?: string;
  /** The modules of the server, whose settings are then known as well. */
  readonly modules?: readonly Module[];
  /** By default the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The directory that all relative paths begin at. By default that of this process. */
  readonly cwd?: string;
}

/** What `createServer` takes, and where each value comes from. */
export interface Config extends ServerOptions {
  readonly values: readonly ConfigValue[];
}

/**
 * Reads `config/default.toml`, `config/<profile>.toml`, `config/local.toml`, the file that is named, and the environment: each
 * overrides those before it.
 * @throws ConfigError which lists everything that is wrong, with file, line and column.
 * @example
 * const server = await createServer(loadConfig({ profile: "prod" }));
 */
export function loadConfig(options: ConfigLoadOptions = {}): Config {
  const { env = process.env, cwd = process.cwd(), modules, ...files } = options;
  const config = resolveConfig({ ...files, env, cwd, table: optionTable(modules) });
  return {
    host: config.valueOf("server.host"),
    port: Number(config.valueOf("server.port")),
    storage: storageOf(config, cwd),
    ...tlsOf(config, cwd),
    ...telemetryOf(config),
    settings: config.settings,
    ...(modules === undefined ? {} : { modules }),
    values: config.values,
  };
}

/** The certificate, if there is one. */
export function tlsOf(
  { valueOf, isChosen }: Pick<ResolvedConfig, "valueOf" | "isChosen">,
  cwd: string,
): { readonly tls?: TlsOptions } {
  if (!isChosen("tls.cert_path")) return {};
  const [certPath, keyPath] = [resolve(cwd, valueOf("tls.cert_path")), resolve(cwd, valueOf("tls.key_path"))];
  return { tls: { certPath, keyPath } };
}

/** The options of the storage. Those that belong to another mode than the one in use do not count. */
export function storageOf(
  { valueOf, isChosen }: Pick<ResolvedConfig, "valueOf" | "isChosen">,
  cwd: string,
): StorageOptions {
  const mode = STORAGE_MODES.find((known) => known === valueOf("storage.mode")) ?? "file-durable";
  const s3 = s3Of({ cwd, valueOf, isChosen });
  const isSharded = mode === "acid" && isChosen("storage.acid_shard_count");
  return {
    mode,
    dataDir: resolve(cwd, valueOf("storage.data_dir")),
    ...(isSharded ? { acidShardCount: Number(valueOf("storage.acid_shard_count")) } : {}),
    ...(s3 === undefined ? {} : { s3 }),
    ...(mode === "memory" ? { maxMemoryBytes: Number(valueOf("limits.max_memory_bytes")) } : {}),
  };
}
