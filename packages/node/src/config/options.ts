/** All options of the server on one machine: the settings of the engine and its own, each with its path and its variable. */

import { SETTINGS, type SettingName } from "@durable-streams-cloudflare/core/config";
import { expectation, isValid, type Setting } from "@durable-streams-cloudflare/core/setting-kinds";
import { SETTING_PATHS, variableOf } from "@durable-streams-cloudflare/core/setting-paths";

import { SERVER_OPTIONS, type ServerOption } from "./server-options.ts";

/** An option under one of its names. */
export interface Option {
  /** The same for all names of one option: the plain name of a setting, or else the path. */
  readonly id: string;
  /** In a TOML file: a table, a dot and a key. */
  readonly path: string;
  /** The environment variable. */
  readonly variable: string;
  /** The plain name; only settings of the engine have one. */
  readonly name: SettingName | undefined;
  readonly setting: Setting;
  /** `""`: there is none. */
  readonly default: string;
  readonly isSecret: boolean;
  /** A well-known variable that means the same, and counts if nothing else says anything. */
  readonly otherVariable?: string | undefined;
  /** What a value must be, in words. */
  readonly expects: string;
  /** @returns the value in the notation of the setting; `undefined` if the text is invalid. */
  parse(text: string): string | undefined;
  /** A value in the notation of this name. */
  write(value: string): string;
}

const OF_ENGINE: readonly Option[] = SETTING_PATHS.map(({ name, path, variable, read, write = same, expects }) => {
  const setting: Setting = SETTINGS[name];
  const isSecret = setting.kind === "text" && setting.isSecret === true;
  const parse = (text: string): string | undefined => accepted(setting, read === undefined ? text : read(text));
  const own = { id: name, path, variable, name, setting, default: String(setting.default), isSecret, parse, write };
  return { ...own, expects: expects ?? expectation(setting) };
});

const OF_SERVER: readonly Option[] = SERVER_OPTIONS.map((option: ServerOption) => {
  const { path, setting } = option;
  return {
    id: path,
    path,
    variable: variableOf(path),
    name: undefined,
    setting,
    default: option.default ?? String(setting.default),
    isSecret: setting.kind === "text" && setting.isSecret === true,
    otherVariable: option.otherVariable,
    expects: expectation(setting),
    parse: (text) => accepted(setting, text),
    write: same,
  };
});

/** Every option under each of its names. */
export const OPTIONS: readonly Option[] = [...OF_SERVER, ...OF_ENGINE];

const BY_PATH = new Map(OPTIONS.map((option) => [option.path, option]));
const BY_VARIABLE = new Map(OPTIONS.map((option) => [option.variable, option]));
/** By a plain name, a value has the notation of the setting. */
const BY_NAME = new Map(
  OF_ENGINE.toReversed().map((option): [string, Option] => {
    const { id, setting } = option;
    return [id, { ...option, expects: expectation(setting), parse: (text) => accepted(setting, text) }];
  }),
);

export const optionAt = (path: string): Option | undefined => BY_PATH.get(path);
export const optionOfVariable = (variable: string): Option | undefined => BY_VARIABLE.get(variable);
export const optionNamed = (name: string): Option | undefined => BY_NAME.get(name);

function same(value: string): string {
  return value;
}

function accepted(setting: Setting, text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed !== undefined && isValid(setting, trimmed) ? trimmed : undefined;
}
