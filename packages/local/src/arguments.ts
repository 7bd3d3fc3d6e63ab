import { parseArgs } from "node:util";

import { ENGINE_DEFAULT, ENGINES, type Engine } from "./engine.ts";
import { EXIT, Failure } from "./failure.ts";
import { DRAIN_MS_DEFAULT, PORT_DEFAULT } from "./options.ts";
import { SECRETS } from "./settings.ts";

/** The parsed flags of the command. */
export interface Arguments {
  readonly engine: Engine;
  readonly host: string;
  /** 0 asks for any free port. */
  readonly port: number;
  /** The data directory as given; `undefined`: the command's default. */
  readonly dataDir: string | undefined;
  /** Settings by name. */
  readonly variables: Readonly<Record<string, string>>;
  readonly quiet: boolean;
  /** The loopback port on which Prometheus can scrape metrics; `undefined`: none. 0 asks for any free port. */
  readonly metricsPort: number | undefined;
  /** How long requests in flight may continue after the server is told to stop. */
  readonly drainSeconds: number;
  readonly readyJson: boolean;
  readonly help: boolean;
}

const PORT_MAX = 65_535;
const DRAIN_SECONDS_DEFAULT = DRAIN_MS_DEFAULT / 1000;
const DRAIN_SECONDS_MAX = 3_600;

const OPTIONS = {
  engine: { type: "string" },
  port: { type: "string" },
  host: { type: "string" },
  "data-dir": { type: "string" },
  "metrics-port": { type: "string" },
  "drain-seconds": { type: "string" },
  var: { type: "string", multiple: true },
  quiet: { type: "boolean" },
  "ready-json": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** @param command the command line that runs this program, without its flags. */
export function formatHelp(command: string): string {
  return `Run the Durable Streams server on this machine and keep its data on disk.

  ${command} [flags]

  --port N           listen on this port; 0 picks a free one (default ${PORT_DEFAULT})
  --host ADDRESS     listen on this address (default 127.0.0.1)
  --engine NAME      "node": one Node.js process; "workerd": as on Cloudflare (default ${ENGINE_DEFAULT})
  --data-dir DIR     keep the data in this directory (default .data)
  --var NAME:VALUE   set a setting of the server; repeatable
  --metrics-port N   serve http://127.0.0.1:N/metrics for Prometheus; 0 picks a free port (default: off)
  --drain-seconds N  when stopping, let requests in flight continue for this long (default ${DRAIN_SECONDS_DEFAULT})
  --quiet            do not print the banner
  --ready-json       print one line of JSON on stdout when the server is ready
  --help             print this help

Secrets are read from the environment: ${SECRETS.join(", ")}.
The server speaks plain HTTP: for HTTPS, put a proxy in front of it. Settings: docs/configuration.md. More: docs/serve.md
`;
}

/** @throws Failure with the exit code for wrong usage. */
export function parseArguments(argv: readonly string[]): Arguments {
  const values = parseFlags(argv);
  return {
    engine: parseEngine(values.engine ?? ENGINE_DEFAULT),
    host: parseHost(values.host ?? "127.0.0.1"),
    port: parsePort("--port", values.port ?? String(PORT_DEFAULT)),
    dataDir: parseDataDir(values["data-dir"]),
    variables: Object.fromEntries((values.var ?? []).map(parseVariable)),
    metricsPort: values["metrics-port"] === undefined ? undefined : parsePort("--metrics-port", values["metrics-port"]),
    drainSeconds: parseSeconds("--drain-seconds", values["drain-seconds"] ?? String(DRAIN_SECONDS_DEFAULT)),
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

function parseEngine(text: string): Engine {
  const engine = ENGINES.find((name) => name === text);
  if (engine === undefined) throw misuse(`--engine must be node or workerd, but it is "${text}".`, "--engine node");
  return engine;
}

function parsePort(flag: string, text: string): number {
  return parseWhole(flag, text, PORT_MAX, `${flag} ${PORT_DEFAULT}`);
}

function parseSeconds(flag: string, text: string): number {
  return parseWhole(flag, text, DRAIN_SECONDS_MAX, `${flag} ${DRAIN_SECONDS_DEFAULT}`);
}

function parseWhole(flag: string, text: string, max: number, fix: string): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number <= max) return number;
  throw misuse(`${flag} must be a whole number from 0 to ${max}, but it is "${text}".`, fix);
}

/** Accepts a host as it is written in a URL: `[::1]` is `::1`. */
function parseHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  if (!/^[\w.:%-]+$/.test(host)) {
    throw misuse(`--host must be an address or a host name, but it is "${text}".`, "--host 127.0.0.1");
  }
  return host;
}

function parseDataDir(text: string | undefined): string | undefined {
  if (text === "") throw misuse("--data-dir must name a directory, but it is empty.", "--data-dir .data");
  return text;
}

/** Only the first colon separates: values such as URLs contain colons. */
function parseVariable(text: string): [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_]\w*):(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw misuse(`--var must have the form NAME:VALUE, but it is "${text}".`, "--var LOG_LEVEL:info");
  }
  return [name, value];
}

function misuse(message: string, fix: string): Failure {
  return new Failure(message, fix, EXIT.usage);
}
