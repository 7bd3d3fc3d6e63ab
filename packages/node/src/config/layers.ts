/** Reads all layers of the configuration, and merges them. */

import { statSync } from "node:fs";
import { join, resolve } from "node:path";

import { PROFILE_VARIABLE, readEnvironment, type Environment } from "./environment.ts";
import { SERVER_TABLE, type OptionTable } from "./options.ts";
import { readTomlFile, type TomlFile } from "./toml-file.ts";
import { refusedValue, unknownName, type LayerContent, type Written } from "./written.ts";

/** What a command line says about an option. */
export interface Flag {
  /** For messages: `--port` or `--var LOG_LEVEL`. */
  readonly flag: string;
  /** The path of the option, or the plain name of a setting. */
  readonly option: string;
  readonly text: string;
}

/** Where the configuration is looked for. */
export interface LayerSources {
  /** The name of `config/<profile>.toml`. */
  readonly profile?: string | undefined;
  /** Overrides those in the folder. It must exist. */
  readonly configFile?: string | undefined;
  /** The folder of the other files; default `config`. */
  readonly configDir?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
  readonly flags?: readonly Flag[];
  /** The options that there are. By default those of a server without modules. */
  readonly table?: OptionTable;
  /** The variables of wrangler.toml, where the server runs its Worker. */
  readonly wrangler?: Readonly<Record<string, unknown>>;
}

/** The values of one option, the one that counts first. */
export type Merged = ReadonlyMap<string, readonly [Written, ...Written[]]>;

/** @param faults collects what is wrong in any layer. */
export function readLayers(sources: LayerSources, faults: string[]): Merged {
  const { table = SERVER_TABLE } = sources;
  const layers = [
    readWrangler(sources.wrangler ?? {}, table),
    ...filesOf(sources, faults).map((file) => readTomlFile(file, sources.cwd, table)),
    readEnvironment(sources.env, table),
    readFlags(sources.flags ?? [], table),
  ];
  const merged = new Map<string, [Written, ...Written[]]>();
  for (const layer of layers) {
    faults.push(...layer.faults, ...twice(layer));
    for (const written of layer.written) {
      merged.set(written.option.id, [written, ...(merged.get(written.option.id) ?? [])]);
    }
  }
  return merged;
}

function filesOf(
  { profile: given, configFile, configDir, env, cwd }: LayerSources,
  faults: string[],
): readonly TomlFile[] {
  const folder = resolve(cwd, configDir ?? "config");
  if (configDir !== undefined && !isDirectory(folder)) {
    faults.push(`${configDir}: this folder does not exist.`);
  }
  const profile = given ?? (env[PROFILE_VARIABLE] || undefined);
  const isName =
    profile === undefined || (/^[\w-]{1,64}$/.test(profile) && profile !== "default" && profile !== "local");
  if (!isName) {
    faults.push(
      `The profile must be letters, digits, _ and -, but not default or local; it is ${JSON.stringify(profile)}.`,
    );
  }
  const inFolder = (name: string, layer: TomlFile["layer"], isRequired = false): TomlFile => ({
    path: join(folder, `${name}.toml`),
    layer,
    isRequired,
  });
  return [
    inFolder("default", "default file"),
    ...(profile === undefined || !isName ? [] : [inFolder(profile, "profile file", true)]),
    inFolder("local", "local file"),
    ...(configFile === undefined ? [] : [{ path: resolve(cwd, configFile), layer: "file", isRequired: true } as const]),
  ];
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Who may do what on this machine is not a matter of the deployment. */
const LOCAL_ONES = ["TENANCY", "AUTH_MODE", "SHARED_APPENDS", "SHARED_READS"];

/** The deployment's own variables: what is no setting is a binding of its Worker. */
function readWrangler(vars: Readonly<Record<string, unknown>>, table: OptionTable): LayerContent {
  const written = Object.entries(vars).flatMap(([name, value]): Written[] => {
    const option = LOCAL_ONES.includes(name) ? undefined : table.named(name);
    const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
    return option === undefined ? [] : [{ option, layer: "wrangler.toml", place: "wrangler.toml", value: text }];
  });
  return { written, faults: [] };
}

function readFlags(flags: readonly Flag[], table: OptionTable): LayerContent {
  const written: Written[] = [];
  const faults: string[] = [];
  // A flag that is given twice counts as it is given last.
  const last = new Map(flags.map((each) => [each.flag, each]));
  for (const { flag, option: name, text } of last.values()) {
    const option = table.named(name) ?? table.at(name);
    const value = option?.parse(text);
    if (option === undefined) faults.push(unknownName(flag, name, namesIn(table)));
    else if (option.isSecret) {
      faults.push(
        `${flag} is not allowed: ${name} is a secret, and every user of the machine can see command lines. ` +
          `Set it in the environment: export ${option.name ?? option.variable}=…`,
      );
    } else if (value === undefined) faults.push(refusedValue("", option, flag, JSON.stringify(text)));
    else written.push({ option, layer: "flag", place: flag, value });
  }
  return { written, faults };
}

function namesIn({ all }: OptionTable): readonly string[] {
  return all.flatMap(({ name }) => name ?? []);
}

/** Two names of one option in one layer: nobody can tell which one is meant. */
function twice({ written }: LayerContent): readonly string[] {
  return written.flatMap(({ option, place }, index) => {
    const other = written.slice(0, index).find((before) => before.option.id === option.id);
    if (other === undefined) return [];
    return [`${place} and ${other.place} are the same setting, ${option.name ?? option.path}: remove one of them.`];
  });
}
