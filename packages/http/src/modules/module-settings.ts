/** The settings of a module: declared like the server's own, and found under the same kinds of names. */

import { ConfigError } from "@durable-streams-cloudflare/core/config";
import { settingText, type Setting } from "@durable-streams-cloudflare/core/setting-kinds";
import { variableOf } from "@durable-streams-cloudflare/core/setting-paths";

/** A setting, and its path in a TOML file: `tally.max`, which the variable `DS_TALLY__MAX` follows from. */
export type ModuleSetting = Setting & { readonly path: string };

/** The settings of a module, by name. */
export type ModuleSettings = Readonly<Record<string, ModuleSetting>>;

/** The values of settings: numbers, choices and texts. */
export type ValuesOf<Settings> = { readonly [Name in keyof Settings]: ValueOf<Settings[Name]> };

type ValueOf<S> = S extends { readonly kind: "integer" }
  ? number
  : S extends { readonly kind: "choice"; readonly choices: readonly (infer Choice)[] }
    ? Choice
    : string;

/**
 * Reads a module's settings, by their own names or as `DS_…`.
 * @throws ConfigError which names every setting that is out of its bounds.
 */
export function valuesIn(settings: ModuleSettings, env: object): Readonly<Record<string, string | number>> {
  const found = env as Readonly<Record<string, unknown>>;
  const faults: string[] = [];
  const values = Object.entries(settings).map(([name, setting]) => {
    const variable = variableOf(setting.path);
    if (found[name] !== undefined && found[variable] !== undefined) {
      faults.push(`- ${name} and ${variable} are the same setting: remove one of them.`);
    }
    const shown = found[name] === undefined && found[variable] !== undefined ? variable : name;
    const text = settingText(setting, shown, found[shown], faults);
    return [name, setting.kind === "integer" ? Number(text) : text] as const;
  });
  if (faults.length > 0) throw new ConfigError(`The configuration is invalid:\n${faults.join("\n")}`);
  return Object.fromEntries(values);
}
