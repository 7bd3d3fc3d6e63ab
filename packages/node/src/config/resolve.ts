/** The effective configuration: what the layers say, the defaults of everything else, and where each value comes from. */

import { ConfigError, parseConfig } from "@durable-streams-cloudflare/core/config";

import { readLayers, type LayerSources, type Merged } from "./layers.ts";
import { isUnmeantExposure, machineDefaults, type MachineFacts } from "./machine-defaults.ts";
import { OPTIONS, SERVER_TABLE, type Option } from "./options.ts";
import type { ServerPath } from "./server-options.ts";
import type { Layer } from "./written.ts";

/** An option with its value. */
export interface ConfigValue {
  readonly path: string;
  readonly variable: string;
  /** Of a setting of the engine. */
  readonly name: string | null;
  /** `""`: there is none. A secret is masked, here and everywhere below. */
  readonly value: string;
  readonly default: string;
  readonly layer: Layer | "default";
  /** Where the value is written, or why it is the default. */
  readonly source: string;
  /** The values of lower layers, which do not count; the highest first. */
  readonly hidden: readonly { readonly value: string; readonly source: string }[];
}

/** The configuration of one server. */
export interface ResolvedConfig {
  /** Of all options, in the order of their paths. */
  readonly values: readonly ConfigValue[];
  /** The settings of the engine that the layers say, by their plain names. */
  readonly chosen: Readonly<Record<string, string>>;
  /** The same with the defaults of a server on one machine. */
  readonly settings: Readonly<Record<string, string>>;
  /** The value of one of the server's own options; `""`: there is none. */
  readonly valueOf: (path: ServerPath) => string;
  /** Whether any layer has the option. */
  readonly isChosen: (path: ServerPath) => boolean;
}

const FAULTS_MAX = 50;
const MASK = "(secret)";

/**
 * Reads and checks all layers.
 * @param defaults of the server's own options, where they are not those of the table.
 * @throws ConfigError which lists everything that is wrong.
 */
export function resolveConfig(
  sources: LayerSources,
  defaults: { readonly [Path in ServerPath]?: string } = {},
): ResolvedConfig {
  const faults: string[] = [];
  const merged = readLayers(sources, faults);
  if (faults.length > 0) throw invalid(faults);
  const valueOf = (path: ServerPath): string => merged.get(path)?.[0].value ?? defaultOf(path, defaults);
  const host = valueOf("server.host").replace(/^\[(.*)\]$/, "$1");
  const chosen = Object.fromEntries(
    [...merged.values()].flatMap(([{ option, value }]) => (option.name === undefined ? [] : [[option.name, value]])),
  );
  const ofMachine = machineDefaults({ host, chosen });
  const settings = { ...Object.fromEntries([...ofMachine].map(([name, { value }]) => [name, value])), ...chosen };
  faults.push(...faultsOfAll(settings), ...faultsOfServer(merged), ...faultsOfEngine(merged, valueOf("server.engine")));
  if (isUnmeantExposure({ host, chosen })) {
    faults.push(
      `On ${host}, everybody who can reach this machine could read, write and delete every stream. Require tokens: ` +
        "set PROJECT_SECRET or ADMIN_SECRET. Or confirm that this is intended: set AUTH_MODE (auth.mode) to none.",
    );
  }
  if (faults.length > 0) throw invalid(faults);
  return {
    values: explained(merged, sources.table?.all ?? SERVER_TABLE.all, { host, chosen }, defaults),
    chosen,
    settings,
    valueOf: (path) => (path === "server.host" ? host : valueOf(path)),
    isChosen: (path) => merged.has(path),
  };
}

function defaultOf(path: ServerPath, defaults: { readonly [Path in ServerPath]?: string }): string {
  return defaults[path] ?? OPTIONS.find((option) => option.path === path)?.default ?? "";
}

function invalid(faults: readonly string[]): ConfigError {
  const shown = faults.slice(0, FAULTS_MAX).map((fault) => `- ${fault}`);
  const more = faults.length - shown.length;
  const rest = more > 0 ? [`- and ${more} more.`] : [];
  return new ConfigError(`The configuration is invalid:\n${[...shown, ...rest].join("\n")}`);
}

/** What is wrong with settings that are valid one by one. */
function faultsOfAll(settings: object): readonly string[] {
  try {
    parseConfig(settings);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [, ...lines] = error.message.split("\n");
    return lines.map((line) => line.replace(/^- /, ""));
  }
}

function faultsOfServer(merged: Merged): readonly string[] {
  const [cert, key] = [merged.get("tls.cert_path"), merged.get("tls.key_path")];
  if ((cert === undefined) === (key === undefined)) return faultsOfSegments(merged);
  const [present, missing] = cert === undefined ? ["tls.key_path", "tls.cert_path"] : ["tls.cert_path", "tls.key_path"];
  return [`${(cert ?? key)?.[0].place}: ${present} needs ${missing} as well.`, ...faultsOfSegments(merged)];
}

const KEYS_OF_BUCKET = ["storage.s3_access_key_id", "storage.s3_secret_access_key"];

function faultsOfSegments(merged: Merged): readonly string[] {
  const [segments] = merged.get("storage.segments") ?? [];
  if (segments?.value !== "s3") return [];
  const needed = ["storage.s3_bucket", ...(merged.has("storage.s3_credentials_file") ? [] : KEYS_OF_BUCKET)];
  const missing = OPTIONS.filter(({ path }) => needed.includes(path) && !merged.has(path));
  const [mode] = merged.get("storage.mode") ?? [];
  const isInMemory = mode?.value === "memory";
  return [
    ...(isInMemory ? [`${segments.place}: the storage mode memory has no use for a bucket: use another mode.`] : []),
    ...missing.map(
      ({ path, variable, otherVariable }) =>
        `${segments.place}: storage.segments = s3 needs ${path} as well: set it, or ${otherVariable ?? variable} in the environment.`,
    ),
  ];
}

/** The storage of workerd is always that of file-durable, and it speaks plain HTTP. */
function faultsOfEngine(merged: Merged, engine: string): readonly string[] {
  if (engine === "node") return [];
  const [mode] = merged.get("storage.mode") ?? [];
  const [cert] = merged.get("tls.cert_path") ?? [];
  const [segments] = merged.get("storage.segments") ?? [];
  const [collector] = merged.get("telemetry.otlp_endpoint") ?? [];
  // A variable that is for all programs of the machine asks nothing of this one.
  const isAsked = collector !== undefined && !collector.place.endsWith(collector.option.otherVariable ?? "");
  const needsNode = (what: string): string => `the engine workerd has no ${what}: use server.engine = "node".`;
  const isOther = mode !== undefined && mode.value !== "file-durable";
  return [
    ...(isOther ? [`${mode.place}: ${needsNode(`storage mode ${mode.value}`)}`] : []),
    ...(cert === undefined ? [] : [`${cert.place}: ${needsNode("TLS")}`]),
    ...(isAsked ? [`${collector.place}: ${needsNode("export of traces and metrics")}`] : []),
    ...(segments?.value === "s3" ? [`${segments.place}: ${needsNode("bucket for cold segments")}`] : []),
  ];
}

function explained(
  merged: Merged,
  options: readonly Option[],
  { host, chosen }: MachineFacts,
  defaults: { readonly [Path in ServerPath]?: string },
): readonly ConfigValue[] {
  const first = options.filter(({ id }, index) => options.findIndex((other) => other.id === id) === index);
  return first
    .toSorted((one, other) => (one.path < other.path ? -1 : 1))
    .map((option) => {
      // What it would be if nobody had chosen it.
      const own = machineDefaults({ host, chosen: { ...chosen, [option.id]: undefined } }).get(option.id);
      const general = defaults[option.path as ServerPath] ?? option.default;
      return valueIn(option, merged.get(option.id), { value: own?.value ?? general, reason: own?.reason });
    });
}

function valueIn(
  option: Option,
  written: ReturnType<Merged["get"]>,
  own: { readonly value: string; readonly reason: string | undefined },
): ConfigValue {
  const shown = (value: string): string => (value === "" ? "" : option.isSecret ? MASK : option.write(value));
  const general = shown(own.value);
  const named = { path: option.path, variable: option.variable, name: option.name ?? null, default: general };
  if (written === undefined) {
    const source = own.reason === undefined ? "default" : `default, because ${own.reason}`;
    return { ...named, value: general, layer: "default", source, hidden: [] };
  }
  const [first, ...others] = written;
  const hidden = others.map(({ value, place }) => ({ value: shown(value), source: place }));
  return { ...named, value: shown(first.value), layer: first.layer, source: first.place, hidden };
}
