/** The options of the server on one machine that are no settings of the engine: where it listens, and where its data is. */

import { choice, integer, type Setting } from "@durable-streams-cloudflare/core/setting-kinds";

import { SHARDS_MAX, STORAGE_MODES } from "../storage/modes/options.ts";
import { S3_OPTIONS } from "./s3-options.ts";
import { TELEMETRY_OPTIONS } from "./telemetry-options.ts";

/** An option and its path in a TOML file. */
export interface ServerOption {
  readonly path: string;
  readonly setting: Setting;
  /** A variable that other programs read as well. It counts if nothing else in the environment has the option. */
  readonly otherVariable?: string;
  /** Parts of one credential: their other variables count if none of the options in the group has its own. */
  readonly credential?: string;
  /** Present where the default is not the setting's: `""` means that there is none. */
  readonly default?: string;
}

/** A path or a name in the system of this machine. */
function text(defaultValue: string, pattern: RegExp, expects: string, about: string): Setting {
  return { kind: "text", default: defaultValue, pattern, expects, about };
}

const PATH = /^[^\0\n]+$/;

export const SERVER_OPTIONS = [
  {
    path: "server.host",
    setting: text("127.0.0.1", /^\[?[\w.:%-]+\]?$/, "an address or a host name", "the address to listen on"),
  },
  { path: "server.port", setting: integer(4437, 0, 65_535, "the port to listen on; 0: any that is free") },
  {
    path: "server.engine",
    setting: choice("node", ["node", "workerd"], "node: one Node.js process; workerd: as on Cloudflare"),
  },
  {
    path: "server.metrics_port",
    setting: integer(0, 0, 65_535, "the port of 127.0.0.1 that serves /metrics for Prometheus; 0: any that is free"),
    default: "",
  },
  {
    path: "server.drain_secs",
    setting: integer(5, 0, 3_600, "when stopping, how long requests in flight may continue, in seconds"),
  },
  {
    path: "storage.mode",
    setting: choice(
      "file-durable",
      STORAGE_MODES,
      "what an acknowledgement promises; memory: nothing outlives the process; file-fast: it survives the end of the " +
        "process; file-durable and acid: it survives a power cut",
    ),
  },
  {
    path: "storage.data_dir",
    setting: text(
      ".data",
      PATH,
      "the path of a directory",
      "the directory that holds the data; created if it is missing",
    ),
  },
  {
    path: "storage.acid_shard_count",
    setting: integer(
      4,
      1,
      SHARDS_MAX,
      "with mode acid: the number of databases; by default 4, or as many as the directory has",
    ),
    default: "",
  },
  {
    path: "storage.acid_backend",
    setting: choice(
      "sqlite",
      ["sqlite", "file"],
      "with mode acid: the database; file, as in the Rust server, means the same",
    ),
  },
  ...S3_OPTIONS,
  {
    path: "limits.max_memory_bytes",
    setting: integer(
      1024 ** 3,
      1024 ** 2,
      2 ** 49,
      "with mode memory: the most bytes that all streams together may store",
    ),
  },
  {
    path: "tls.cert_path",
    setting: text(
      "",
      PATH,
      "the path of a file",
      "the certificate with its chain, in PEM; with it, the server speaks HTTPS; read again when it changes",
    ),
  },
  { path: "tls.key_path", setting: text("", PATH, "the path of a file", "the private key of the certificate, in PEM") },
  ...TELEMETRY_OPTIONS,
] as const satisfies readonly ServerOption[];

export type ServerPath = (typeof SERVER_OPTIONS)[number]["path"];
