/** Where the Worker of setup gets the server from. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { usageError } from "../failure.ts";

export interface ServerPackage {
  /** A version, or where it lies. */
  readonly spec: string;
  /** Where the packages lie that it depends on, by their names; empty: npm has them. */
  readonly overrides: Readonly<Record<string, string>>;
}

/** The packages of this project that the server depends on. */
const DEPENDENCIES = ["core", "http", "protocol"];

/**
 * @param text a version, an archive, or a folder with the archives that `npm run pack` makes.
 * @throws CliError when the folder has none.
 */
export function findServerPackage(text: string, cwd: string): ServerPackage {
  const path = resolve(cwd, text);
  if (!existsSync(path)) return { spec: text, overrides: {} };
  if (!statSync(path).isDirectory()) return { spec: `file:${path}`, overrides: {} };
  const archive = (name: string): string => {
    const found = readdirSync(path).find((file) => file.endsWith(".tgz") && file.includes(`-${name}-`));
    if (found !== undefined) return `file:${join(path, found)}`;
    throw usageError(`${path} has no archive of the ${name}'s package.`, `npm run pack -- ${text}, in the repository`);
  };
  const overrides = DEPENDENCIES.map((name) => [`@durable-streams-cloudflare/${name}`, archive(name)]);
  return { spec: archive("server"), overrides: Object.fromEntries(overrides) as ServerPackage["overrides"] };
}
