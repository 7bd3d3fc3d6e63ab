/** All options of the server on one machine: the settings of the engine and its own, each with its path and its variable. */

import { SETTINGS } from "@durable-streams-cloudflare/core/config";
import { expectation, isValid, type Setting } from "@durable-streams-cloudflare/core/setting-kinds";
import { SETTING_PATHS, variableOf } from "@durable-streams-cloudflare/core/setting-paths";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";

import { SERVER_OPTIONS, type ServerOption } from "./server-options.ts";

/** An option under one of its names. */
export interface Option {
  /** The same for all names of one option: the plain name of a setting, or else the path. */
  readonly id: string;
  /** In a TOML file: a table, a dot and a key. */
  readonly path: string;
  /** The environment variable. */
  readonly variable: string;
  /** The plain name; only settings of the engine and of modules have one. */
  readonly name: string | undefined;
  readonly setting: Setting;
  /** `""`: there is none. */
  readonly default: string;
  readonly isSecret: boolean;
  /** A well-known variable that means the same, and counts if nothing else says anything. */
  readonly otherVariable?: string | undefined;
  /** Options with parts of the same credential have the same. */
  readonly credential?: string | undefined;
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
    credential: option.credential,
    expects: expectation(setting),
    parse: (text) => accepted(setting, text),
    write: same,
  };
});

/** The options that a server has, and how each is found. */
export interface OptionTable {
  /** Every option under each of its names. */
  readonly all: readonly Option[];
  at(path: string): Option | undefined;
  ofVariable(variable: string): Option | undefined;
  /** By a plain name, a value has the notation of the setting. */
  named(name: string): Option | undefined;
}

/** The options of a server with modules. */
export function optionTable(modules: readonly Module[] = []): OptionTable {
  const named = [...OF_ENGINE, ...modules.flatMap(optionsOf)];
  const all = [...OF_SERVER, ...named];
  const byPath = new Map(all.map((option) => [option.path, option]));
  const byVariable = new Map(all.map((option) => [option.variable, option]));
  const byName = new Map(
    named.toReversed().map((option): [string, Option] => {
      const { id, setting } = option;
      return [id, { ...option, expects: expectation(setting), parse: (text) => accepted(setting, text) }];
    }),
  );
  return {
    all,
    at: (path) => byPath.get(path),
    ofVariable: (variable) => byVariable.get(variable),
    named: (name) => byName.get(name),
  };
}

/** The options of a server without modules. */
export const SERVER_TABLE = optionTable();
export const OPTIONS: readonly Option[] = SERVER_TABLE.all;
export const optionNamed = (name: string): Option | undefined => SERVER_TABLE.named(name);

function optionsOf({ settings }: Module): readonly Option[] {
  return Object.entries(settings).map(([name, setting]) => ({
    id: name,
    path: setting.path,
    variable: variableOf(setting.path),
    name,
    setting,
    default: String(setting.default),
    isSecret: setting.kind === "text" && setting.isSecret === true,
    expects: expectation(setting),
    parse: (text) => accepted(setting, text),
    write: same,
  }));
}

function same(value: string): string {
  return value;
}

function accepted(setting: Setting, text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed !== undefined && isValid(setting, trimmed) ? trimmed : undefined;
}
