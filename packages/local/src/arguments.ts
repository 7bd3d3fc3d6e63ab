import { parseArgs } from "node:util";

import { SERVER_OPTIONS, type Flag } from "@durable-streams-cloudflare/node/config";

import { EXIT, Failure } from "./failure.ts";
import { SECRETS } from "./settings.ts";

/** The parsed flags of the command. */
export interface Arguments {
  /** Those about options of the server. Whether their values are valid is not known yet. */
  readonly flags: readonly Flag[];
  readonly profile: string | undefined;
  readonly configFile: string | undefined;
  readonly configDir: string | undefined;
  /** What to do with the configuration instead of starting a server. */
  readonly instead: "explain" | "check" | undefined;
  readonly quiet: boolean;
  readonly readyJson: boolean;
  readonly help: boolean;
}

const OPTIONS = {
  engine: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  "data-dir": { type: "string" },
  "metrics-port": { type: "string" },
  "drain-seconds": { type: "string" },
  var: { type: "string", multiple: true },
  profile: { type: "string" },
  config: { type: "string" },
  "config-dir": { type: "string" },
  "explain-config": { type: "boolean" },
  "check-config": { type: "boolean" },
  quiet: { type: "boolean" },
  "ready-json": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** The flags that are options of the server, and the path of each. */
const PATHS = {
  engine: "server.engine",
  port: "server.port",
  host: "server.host",
  "data-dir": "storage.data_dir",
  "metrics-port": "server.metrics_port",
  "drain-seconds": "server.drain_secs",
} as const satisfies { readonly [Name in keyof typeof OPTIONS]?: (typeof SERVER_OPTIONS)[number]["path"] };

/** @param command the command line that runs this program, without its flags. */
export function formatHelp(command: string): string {
  return `Run the Durable Streams server on this machine and keep its data on disk.

  ${command} [flags]

  --port N           listen on this port; 0 picks a free one (default ${defaultOf("port")})
  --host ADDRESS     listen on this address (default ${defaultOf("host")})
  --engine NAME      "node": one Node.js process; "workerd": as on Cloudflare (default ${defaultOf("engine")})
  --data-dir DIR     keep the data in this directory (default ${defaultOf("data-dir")})
  --var NAME:VALUE   set a setting of the server; repeatable
  --profile NAME     read config/NAME.toml as well (default: the environment variable DS_PROFILE)
  --config FILE      read this TOML file, which overrides those in the folder config
  --config-dir DIR   read the other TOML files from this folder (default config)
  --explain-config   print each option and where its value comes from, and start nothing
  --check-config     check the configuration, and start nothing
  --metrics-port N   serve http://127.0.0.1:N/metrics for Prometheus; 0 picks a free port (default: off)
  --drain-seconds N  when stopping, let requests in flight continue for this long (default ${defaultOf("drain-seconds")})
  --quiet            do not print the banner
  --ready-json       print one line of JSON on stdout when the server is ready
  --help             print this help

Every option can also be in config/default.toml, config/local.toml, or a variable such as DS_SERVER__PORT.
DS_STORAGE__MODE says what an acknowledgement promises: memory, file-fast, file-durable (default) or acid.
Secrets are read from the environment: ${SECRETS.join(", ")}.
For HTTPS, set DS_TLS__CERT_PATH and DS_TLS__KEY_PATH, or put a proxy in front of it.
Settings: docs/configuration.md. More: docs/serve.md
`;
}

function defaultOf(flag: keyof typeof PATHS): string {
  return String(SERVER_OPTIONS.find(({ path }) => path === PATHS[flag])?.setting.default);
}

/** @throws Failure with the exit code for wrong usage. */
export function parseArguments(argv: readonly string[]): Arguments {
  const values = parseFlags(argv);
  const flags = Object.entries(PATHS).flatMap(([name, option]): Flag[] => {
    const text = values[name as keyof typeof PATHS];
    return text === undefined ? [] : [{ flag: `--${name}`, option, text }];
  });
  return {
    flags: [...flags, ...(values.var ?? []).map(parseVariable)],
    profile: values.profile,
    configFile: values.config,
    configDir: values["config-dir"],
    instead: values["explain-config"] === true ? "explain" : values["check-config"] === true ? "check" : undefined,
    quiet: values.quiet ?? false,
    readyJson: values["ready-json"] ?? false,
    help: values.help ?? false,
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Node.js explains a wrong flag in several sentences; the first one says what is wrong.
    const [reason] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/);
    throw misuse(`${reason}.`, `use --help to see what each flag does. The flags are ${flagNames()}`);
  }
}

function flagNames(): string {
  return Object.keys(OPTIONS)
    .map((name) => `--${name}`)
    .join(" ");
}

/** Only the first colon separates: values such as URLs contain colons. */
function parseVariable(text: string): Flag {
  const [, name, value] = /^([A-Za-z_]\w*):(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw misuse(`--var must have the form NAME:VALUE, but it is "${text}".`, "--var LOG_LEVEL:info");
  }
  return { flag: `--var ${name}`, option: name, text: value };
}

function misuse(message: string, fix: string): Failure {
  return new Failure(message, fix, EXIT.usage);
}
