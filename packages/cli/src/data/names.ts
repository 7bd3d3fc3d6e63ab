/** Finds out which object a file belongs to. workerd names a file by its object's id, which is derived from its name. */

import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";

import { loadServer } from "../commands/serve.ts";
import { withDatabase } from "./sqlite.ts";

const PROJECT_KEY = "project:";
/** The project of a server with a single project. */
const SINGLE_PROJECT = "default";
const REGISTRY_STREAM = "__registry__";

/** The names of objects by the path of their database, as far as the projects' directories list them. */
export async function nameObjects(dataDir: string, databases: readonly string[]): Promise<Map<string, string>> {
  const { objectId } = await loadServer();
  const folders = new Set(
    databases.map((path) => dirname(path)).filter((folder) => folder.startsWith(join(dataDir, "do"))),
  );
  const [projects, known] = [[SINGLE_PROJECT, ...(await projectNames(databases))], new Set(databases)];
  const names = new Map<string, string>();
  const name = (object: string): void => {
    for (const folder of folders) {
      const path = join(folder, `${objectId(basename(folder), object)}.sqlite`);
      if (known.has(path)) names.set(path, object);
    }
  };
  for (const project of projects) {
    name(project);
    for (const stream of [REGISTRY_STREAM, ...(await streamsOf(names, project))]) name(`${project}/${stream}`);
  }
  return names;
}

/** The projects that were created through the API, whose records are in KV. */
async function projectNames(databases: readonly string[]): Promise<string[]> {
  const namespaces = databases.filter(
    (path) => path.includes("KVNamespaceObject") && basename(path) !== "metadata.sqlite",
  );
  const keys = await Promise.all(namespaces.map((path) => columnOf(path, "SELECT key AS value FROM _mf_entries")));
  return keys.flat().flatMap((key) => (key.startsWith(PROJECT_KEY) ? [key.slice(PROJECT_KEY.length)] : []));
}

async function streamsOf(names: ReadonlyMap<string, string>, project: string): Promise<string[]> {
  const [path] = [...names].find(([file, name]) => name === project && file.includes("ProjectDO")) ?? [];
  return path === undefined ? [] : columnOf(path, "SELECT name AS value FROM streams");
}

/** Empty if the database cannot be read or has no such table: names are only informative. */
async function columnOf(path: string, query: string): Promise<string[]> {
  const read = (database: DatabaseSync) => database.prepare(query).all() as { value: string }[];
  const rows = await withDatabase(path, read).catch(() => []);
  return rows.map(({ value }) => value);
}

/** The paths of all databases in a folder. */
export function findDatabases(dataDir: string): string[] {
  const files = readdirSync(dataDir, { recursive: true, encoding: "utf8" });
  return files
    .filter((path) => path.endsWith(".sqlite") && !path.startsWith("tmp/"))
    .map((path) => join(dataDir, path))
    .toSorted();
}
