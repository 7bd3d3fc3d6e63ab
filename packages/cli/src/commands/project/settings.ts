/** Settings of a project as `name=value`, one per leaf: `limits.streams=1000`. */

import { parseDuration } from "../../duration.ts";
import { usageError } from "../../failure.ts";

const EXAMPLE = "durable-streams project set demo limits.streams=1000 publicStreams=news/*";
/** Settings whose values are lists: `a,b`. */
const LISTS = new Set(["corsOrigins", "publicStreams"]);

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Flattens the settings of a project. */
export function flattenSettings(settings: object, prefix = ""): (readonly [name: string, value: string])[] {
  return Object.entries(settings).flatMap(([key, value]: [string, Json]) => {
    const name = `${prefix}${key}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return flattenSettings(value, `${name}.`);
    return [[name, textOf(value)] as const];
  });
}

function textOf(value: Json): string {
  if (value === null) return "none";
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Builds the body of a change. The server checks names and values. @throws CliError when the form is wrong. */
export function parseSettings(texts: readonly string[]): object {
  const settings: Record<string, Json> = {};
  for (const text of texts) {
    const [, name = "", value = ""] = /^([A-Za-z]+(?:\.[A-Za-z]+)?)=(.*)$/.exec(text) ?? [];
    if (name === "") throw usageError(`${JSON.stringify(text)} does not have the form NAME=VALUE.`, EXAMPLE);
    const [group = "", leaf] = name.split(".");
    const parsed = parseValue(name, value);
    const known = settings[group];
    settings[group] = leaf === undefined ? parsed : { ...(isObject(known) ? known : {}), [leaf]: parsed };
  }
  return settings;
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseValue(name: string, text: string): Json {
  if (text === "none") return null;
  if (LISTS.has(name)) return text === "" ? [] : text.split(",");
  if (/^\d+$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  return name.endsWith("Seconds") ? parseDuration(text) : text;
}
