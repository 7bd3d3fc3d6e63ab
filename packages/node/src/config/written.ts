/** What somebody has written about an option: a value, and where it is. */

import { nearest } from "./nearest.ts";
import type { Option } from "./options.ts";

/** The layers of the configuration: each overrides those before it. */
export const LAYERS = [
  "wrangler.toml",
  "default file",
  "profile file",
  "local file",
  "file",
  "environment",
  "flag",
] as const;
export type Layer = (typeof LAYERS)[number];

/** A value in one layer. */
export interface Written {
  readonly option: Option;
  readonly layer: Layer;
  /** For messages: `config/local.toml:3:1`, `the environment variable DS_SERVER__PORT`, `--port`. */
  readonly place: string;
  /** In the notation of the setting. */
  readonly value: string;
}

/** Everything in one layer, and what is wrong with it. */
export interface LayerContent {
  readonly written: readonly Written[];
  readonly faults: readonly string[];
}

/**
 * The fault of a value that an option does not accept.
 * @param place `""` where the name says it.
 * @param shown the value as it is written.
 */
export function refusedValue(place: string, { isSecret, expects }: Option, name: string, shown: string): string {
  return `${place === "" ? "" : `${place}: `}${name} must be ${expects}, but it is ${isSecret ? "something else" : shown}.`;
}

/** The fault of a name that no option has. */
export function unknownName(place: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `${place}: no setting is called ${name}.${meant === undefined ? "" : ` Did you mean ${meant}?`}`;
}
