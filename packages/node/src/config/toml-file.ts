/** Reads the options in a TOML file. */

import { readFileSync, statSync } from "node:fs";
import { relative } from "node:path";

import { parse, TomlDate, TomlError } from "smol-toml";

import { keyPlaces } from "./key-places.ts";
import type { Option, OptionTable } from "./options.ts";
import { refusedValue, unknownName, type Layer, type LayerContent, type Written } from "./written.ts";

/** Ten times what every option with a comment takes. */
const BYTES_MAX = 64 * 1024;
const OTHERS = 0o077;

export interface TomlFile {
  readonly path: string;
  readonly layer: Layer;
  /** Whether it is a fault when the file does not exist. */
  readonly isRequired: boolean;
}

/**
 * Reads a file, which is empty if it does not exist and need not.
 * @param cwd the directory that messages begin at.
 */
export function readTomlFile({ path, layer, isRequired }: TomlFile, cwd: string, table: OptionTable): LayerContent {
  const name = shortName(path, cwd);
  try {
    const stat = statOf(path);
    if (stat === undefined && !isRequired) return { written: [], faults: [] };
    if (stat === undefined) return { written: [], faults: [`${name}: this file does not exist.`] };
    if (!stat.isFile()) return { written: [], faults: [`${name}: this is not a file.`] };
    if (stat.size > BYTES_MAX)
      return { written: [], faults: [`${name}: this file is larger than ${BYTES_MAX} bytes.`] };
    const toml = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
    const isPrivate = process.platform === "win32" || (stat.mode & OTHERS) === 0;
    return new TomlLayer(toml, { name, path, layer, isPrivate }, table);
  } catch (error) {
    return { written: [], faults: [faultOf(name, error)] };
  }
}

/**
 * A file that cannot be read is not a missing one.
 * @throws Error of the system when it is not known whether there is a file.
 */
function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A part of the path is a file.
    if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return undefined;
    throw error;
  }
}

function shortName(path: string, cwd: string): string {
  const fromHere = relative(cwd, path);
  // Messages are the same on every system.
  return fromHere === "" || fromHere.startsWith("..") ? path : fromHere.replaceAll("\\", "/");
}

function faultOf(name: string, error: unknown): string {
  if (!(error instanceof TomlError)) {
    return `${name}: this file cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
  }
  const [, reason = ""] = /^Invalid TOML document: ([^\n]*)/.exec(error.message) ?? [];
  return `${name}:${error.line}:${error.column}: this is not TOML: ${reason}.`;
}

interface Source {
  readonly name: string;
  readonly path: string;
  readonly layer: Layer;
  /** Whether only its owner can read the file. */
  readonly isPrivate: boolean;
}

class TomlLayer implements LayerContent {
  readonly written: Written[] = [];
  readonly faults: string[] = [];
  readonly #source: Source;
  readonly #places: ReturnType<typeof keyPlaces>;
  readonly #options: OptionTable;
  readonly #paths: readonly string[];
  readonly #tables: ReadonlySet<string>;

  /** @throws TomlError */
  constructor(toml: string, source: Source, options: OptionTable) {
    const document = parse(toml, { integersAsBigInt: true });
    this.#source = source;
    this.#options = options;
    this.#paths = options.all.map(({ path }) => path);
    this.#tables = new Set(this.#paths.map((path) => path.split(".", 1)[0] ?? ""));
    this.#places = keyPlaces(toml);
    for (const [table, content] of Object.entries(document)) this.#readTable(table, content);
  }

  #readTable(table: string, content: unknown): void {
    if (!isTable(content)) {
      const isKnown = this.#tables.has(table);
      this.faults.push(
        isKnown
          ? `${this.#placeOf(table)}: ${table} must be a table: write [${table}] on a line of its own.`
          : unknownName(this.#placeOf(table), table, this.#paths),
      );
      return;
    }
    const keys = Object.entries(content);
    if (keys.length === 0 && !this.#tables.has(table)) {
      this.faults.push(unknownName(this.#placeOf(table), table, [...this.#tables]));
    }
    for (const [key, value] of keys) this.#readValue(`${table}.${key}`, value);
  }

  #readValue(path: string, value: unknown): void {
    const place = this.#placeOf(path);
    const option = this.#options.at(path);
    if (option === undefined) {
      this.faults.push(unknownName(place, path, this.#paths));
      return;
    }
    if (option.isSecret && !this.#source.isPrivate) {
      this.faults.push(
        `${place}: ${path} is a secret, and other users of this machine can read the file. ` +
          `Run chmod 600 '${this.#source.path}', or set ${option.variable} in the environment.`,
      );
      return;
    }
    const text = textOf(option, value);
    const parsed = text === undefined ? undefined : option.parse(text);
    if (parsed === undefined) this.faults.push(refusedValue(place, option, path, describe(value)));
    else this.written.push({ option, layer: this.#source.layer, place, value: parsed });
  }

  #placeOf(path: string): string {
    const { line, column } = this.#places.get(path) ?? { line: 1, column: 1 };
    return `${this.#source.name}:${line}:${column}`;
  }
}

/** The text of a value that has the type that the option needs. */
function textOf({ setting, id, path }: Option, value: unknown): string | undefined {
  if (path.endsWith("_secs") && typeof value === "number") return String(value);
  if (setting.kind === "integer") return typeof value === "bigint" ? String(value) : undefined;
  if (path === "telemetry.traces_sampler_arg" && (typeof value === "number" || value === 1n || value === 0n)) {
    return String(value);
  }
  if (setting.kind === "choice" && typeof value === "boolean") return String(value);
  const isList = id === "CORS_ORIGINS" && Array.isArray(value);
  if (isList && value.length > 0 && value.every((item) => typeof item === "string")) return value.join(",");
  return typeof value === "string" ? value : undefined;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof TomlDate);
}

function describe(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value)}`;
  if (value instanceof TomlDate) return "a date";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "a table";
  return typeof value === "bigint" || typeof value === "number" || typeof value === "boolean" ? `${value}` : "unknown";
}
