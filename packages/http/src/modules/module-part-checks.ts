/** Checks the parts of a module besides its routes: its objects, settings, problems and counters. */

import { SETTINGS } from "@durable-streams-cloudflare/core/config";
import { tablesOf } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { isValid } from "@durable-streams-cloudflare/core/setting-kinds";
import { SETTING_PATHS } from "@durable-streams-cloudflare/core/setting-paths";

import { ModuleError } from "./module-error.ts";
import type { Module, ModuleSpec } from "./module-types.ts";

/** Without underscores behind the first: with a table's name behind it, it must be nobody else's. */
const KIND = /^module_[a-z][a-z0-9]{0,31}$/;
const TABLE = /^[a-z][a-z0-9_]{0,63}$/;
const SETTING = /^[A-Z][A-Z0-9_]{0,63}$/;
const SETTING_PATH = /^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/;
const PROBLEM = /^[a-z][a-z0-9-]{0,63}$/;
const COUNTER = /^[a-z][a-z0-9_]{0,63}$/;

/** What one Durable Object can have. */
const SOCKETS_MAX = 32_768;
/** What one message of a Durable Object may have. */
const MESSAGE_BYTES_MAX = 1_048_576;

/** @throws ModuleError */
export function checkParts(spec: ModuleSpec): void {
  const { name } = spec;
  checkObjects(spec);
  checkSettings(spec);
  const { problems, counters = {} } = spec;
  if (problems !== undefined && problems.module !== name)
    refuse(`Module ${name} has the problems of module ${problems.module}.`);
  for (const [problem, { status }] of Object.entries(problems?.kinds ?? {})) {
    if (!PROBLEM.test(problem)) refuse(`Module ${name}: "${problem}" is not the name of a problem.`);
    if (!(status >= 400 && status <= 599))
      refuse(`Module ${name}, problem ${problem}: the status must be from 400 to 599.`);
  }
  const counter = Object.keys(counters).find((each) => !COUNTER.test(each));
  if (counter !== undefined) refuse(`Module ${name}: "${counter}" is not the name of a counter.`);
}

/** @throws ModuleError if a kind of object or a setting is another module's. */
export function checkPartsBeside({ name, objects = {}, settings = {} }: ModuleSpec, other: Module): void {
  const kinds = new Set(Object.values(other.objects).map(({ schema }) => schema.kind));
  const kind = Object.values(objects).find(({ schema }) => kinds.has(schema.kind))?.schema.kind;
  if (kind !== undefined) refuse(`Module ${name}: the kind of objects ${kind} belongs to module ${other.name}.`);
  const paths = new Set(Object.values(other.settings).map(({ path }) => path));
  const shared = Object.entries(settings).find(([setting, { path }]) => setting in other.settings || paths.has(path));
  if (shared !== undefined) refuse(`Module ${name}: the setting ${shared[0]} belongs to module ${other.name}.`);
}

function checkObjects({ name, objects = {} }: ModuleSpec): void {
  const kinds = new Set<string>();
  for (const [binding, { schema, sockets }] of Object.entries(objects)) {
    const isWrong = (why: string): never => refuse(`Module ${name}, objects ${binding}: ${why}`);
    if (!SETTING.test(binding)) isWrong("a binding has capital letters, digits and underscores.");
    if (!KIND.test(schema.kind)) isWrong("the kind must be module_ and a name of lower-case letters and digits.");
    if (kinds.has(schema.kind)) isWrong(`the kind ${schema.kind} belongs to other objects of the module.`);
    kinds.add(schema.kind);
    if (sockets !== undefined && !(sockets.max >= 1 && sockets.max <= SOCKETS_MAX))
      isWrong(`sockets.max must be from 1 to ${SOCKETS_MAX}.`);
    if (sockets !== undefined && !(sockets.messageBytesMax >= 1 && sockets.messageBytesMax <= MESSAGE_BYTES_MAX))
      isWrong(`sockets.messageBytesMax must be from 1 to ${MESSAGE_BYTES_MAX}.`);
    const table = tablesOf(schema).find((each) => !TABLE.test(each.name));
    if (table !== undefined) isWrong(`"${table.name}" is not the name of a table.`);
  }
}

function checkSettings({ name, settings = {} }: ModuleSpec): void {
  const prefix = `${name.replaceAll("-", "_").toUpperCase()}_`;
  const paths = new Set(SETTING_PATHS.map(({ path }) => path));
  for (const [setting, declared] of Object.entries(settings)) {
    const isWrong = (why: string): never => refuse(`Module ${name}, setting ${setting}: ${why}`);
    if (!SETTING.test(setting) || !setting.startsWith(prefix)) isWrong(`the name must begin with ${prefix}`);
    if (setting in SETTINGS) isWrong("the server has a setting of that name.");
    if (!SETTING_PATH.test(declared.path)) isWrong("the path must be a table, a dot and a key.");
    if (paths.has(declared.path)) isWrong(`the path ${declared.path} is that of another setting.`);
    if (!isValid(declared, String(declared.default))) isWrong("the default is not valid.");
    paths.add(declared.path);
  }
}

function refuse(why: string): never {
  throw new ModuleError(why);
}
