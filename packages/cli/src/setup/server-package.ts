/** Where the Worker gets the server's package from. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { usageError } from "../failure.ts";

export interface ServerPackage {
  /** A version, or the URL of a local archive. */
  readonly spec: string;
  /** Local archives of the packages that it depends on, by name; empty if they are on npm. */
  readonly overrides: Readonly<Record<string, string>>;
}

/** The packages of this project that the server depends on. */
const DEPENDENCIES = ["core", "http", "protocol"];

/**
 * @param text a version, an archive, or a folder with the archives that `npm run pack` creates.
 * @throws CliError when the folder lacks an archive.
 */
export function findServerPackage(text: string, cwd: string): ServerPackage {
  const path = resolve(cwd, text);
  if (!existsSync(path)) return { spec: text, overrides: {} };
  if (!statSync(path).isDirectory()) return { spec: `file:${path}`, overrides: {} };
  const archive = (name: string): string => {
    const found = readdirSync(path).find((file) => file.endsWith(".tgz") && file.includes(`-${name}-`));
    if (found !== undefined) return `file:${join(path, found)}`;
    throw usageError(`${path} has no archive of the package ${name}.`, `run npm run pack -- ${text} in the repository`);
  };
  const overrides = DEPENDENCIES.map((name) => [`@durable-streams-cloudflare/${name}`, archive(name)]);
  return { spec: archive("server"), overrides: Object.fromEntries(overrides) as ServerPackage["overrides"] };
}
