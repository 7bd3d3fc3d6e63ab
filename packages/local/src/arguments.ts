import { parseArgs } from "node:util";

import { EXIT, Failure } from "./failure.ts";

export interface Arguments {
  readonly host: string;
  /** 0 asks for any free port. */
  readonly port: number;
  /** As given; undefined means the default of `main.ts`. */
  readonly dataDir: string | undefined;
  /** Settings by name, overriding those of wrangler.toml. */
  readonly variables: Readonly<Record<string, string>>;
  readonly quiet: boolean;
  readonly readyJson: boolean;
  readonly help: boolean;
}

const PORT_DEFAULT = 4437;
const PORT_MAX = 65_535;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  "data-dir": { type: "string" },
  var: { type: "string", multiple: true },
  quiet: { type: "boolean" },
  "ready-json": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export const HELP = `Runs the Durable Streams server on this machine; its data stays on disk.

  npm start -- [flags]

  --port N           port to listen on; 0 takes any free one (default ${PORT_DEFAULT})
  --host ADDRESS     address to listen on (default 127.0.0.1)
  --data-dir DIR     where the data lives (default .data)
  --var NAME:VALUE   overrides a setting of wrangler.toml; repeatable
  --quiet            prints no banner
  --ready-json       prints one line of JSON on stdout when the server is ready
  --help             prints this

Settings for --var: packages/server/src/config.ts. Everything else: packages/local/README.md
`;

/** @throws Failure with the exit code for misuse. */
export function parseArguments(argv: readonly string[]): Arguments {
  const values = parseFlags(argv);
  return {
    host: parseHost(values.host ?? "127.0.0.1"),
    port: parsePort(values.port ?? String(PORT_DEFAULT)),
    dataDir: parseDataDir(values["data-dir"]),
    variables: Object.fromEntries((values.var ?? []).map(parseVariable)),
    quiet: values.quiet ?? false,
    readyJson: values["ready-json"] ?? false,
    help: values.help ?? false,
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Node explains a wrong flag in several sentences; the first says what is wrong.
    const [reason] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/);
    throw misuse(`${reason}.`, `flags are ${flagNames()}; npm start -- --help explains them`);
  }
}

function flagNames(): string {
  return Object.keys(OPTIONS)
    .map((name) => `--${name}`)
    .join(" ");
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > PORT_MAX) {
    throw misuse(
      `--port must be a whole number from 0 to ${PORT_MAX}, but is "${text}".`,
      `npm start -- --port ${PORT_DEFAULT}`,
    );
  }
  return port;
}

/** A host may be written as in a URL, so `[::1]` is `::1`. */
function parseHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  if (!/^[\w.:%-]+$/.test(host)) {
    throw misuse(`--host must be an address or a host name, but is "${text}".`, "npm start -- --host 127.0.0.1");
  }
  return host;
}

function parseDataDir(text: string | undefined): string | undefined {
  if (text === "") throw misuse("--data-dir must name a directory, but is empty.", "npm start -- --data-dir .data");
  return text;
}

/** Only the first colon separates: values such as URLs contain colons. */
function parseVariable(text: string): [name: string, value: string] {
  const [, name, value] = /^([A-Za-z_]\w*):(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw misuse(`--var takes NAME:VALUE, but got "${text}".`, "npm start -- --var LOG_LEVEL:info");
  }
  return [name, value];
}

function misuse(message: string, fix: string): Failure {
  return new Failure(message, fix, EXIT.usage);
}
