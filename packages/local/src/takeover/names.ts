/**
 * Finds the names of workerd's objects. A file has only the object's id, which is a hash of the name: so every name that the
 * directory mentions is tried, and what its id belongs to has that name.
 */

import type { DatabaseSync } from "node:sqlite";

import { tablesOf } from "@durable-streams-cloudflare/core/kit/sql/schema";

import { objectId } from "./object-id.ts";
import { withRows, withSource } from "./source-database.ts";
import type { StoredObject } from "./stored-objects.ts";

/** The project of a server with a single project. */
const SINGLE_PROJECT = "default";
const REGISTRY_STREAM = "__registry__";
/** A name has at most 400 bytes, and the name of a project before it. */
const LENGTH_MAX = 1_024;

/**
 * Finds the names of objects.
 * @param projects the names of projects that are known from elsewhere.
 * @returns the names, by path.
 */
export function nameObjects(
  objects: readonly StoredObject[],
  projects: readonly string[],
  workDir: string,
): ReadonlyMap<string, string> {
  const search = new NameSearch(objects, workDir);
  for (const project of [SINGLE_PROJECT, ...projects]) search.tryProject(project);
  for (const { alarmName } of objects) if (alarmName !== undefined) search.tryName(alarmName);
  // A fork, a follower or a source may be mentioned only by the other one.
  for (const object of objects) {
    if (search.isDone) break;
    for (const text of textsIn(object, workDir)) if (text.includes("/")) search.tryName(text);
  }
  return search.names;
}

class NameSearch {
  readonly names = new Map<string, string>();
  readonly #byId: ReadonlyMap<string, StoredObject>;
  readonly #namespaces: readonly string[];
  readonly #projects = new Set<string>();
  readonly #workDir: string;

  constructor(objects: readonly StoredObject[], workDir: string) {
    this.#byId = new Map(objects.map((object) => [object.id, object]));
    this.#namespaces = [...new Set(objects.map(({ namespace }) => namespace))];
    this.#workDir = workDir;
  }

  get isDone(): boolean {
    return this.names.size === this.#byId.size;
  }

  /** Names every object that is called so, and, once, those that its project knows. */
  tryName(name: string): void {
    this.#name(name);
    const slash = name.indexOf("/");
    if (slash > 0) this.tryProject(name.slice(0, slash));
  }

  tryProject(project: string): void {
    if (this.#projects.has(project)) return;
    this.#projects.add(project);
    const own = this.#name(project).find(({ kind }) => kind === "project");
    this.#name(`${project}/${REGISTRY_STREAM}`);
    if (own === undefined) return;
    for (const text of textsIn(own, this.#workDir)) {
      this.#name(`${project}/${text}`);
      if (text.includes("/")) this.#name(text);
    }
  }

  #name(name: string): StoredObject[] {
    const found: StoredObject[] = [];
    for (const namespace of this.#namespaces) {
      const object = this.#byId.get(objectId(namespace, name));
      if (object === undefined) continue;
      this.names.set(object.path, name);
      found.push(object);
    }
    return found;
  }
}

/** All texts in an object's tables that may be names. */
function textsIn({ path, schema }: StoredObject, workDir: string): Set<string> {
  return withSource(path, { workDir, schema }, (location) =>
    withRows(location, (database) => {
      const texts = new Set<string>();
      for (const table of tablesOf(schema)) {
        if (table.partition !== undefined || !hasTable(database, table.name)) continue;
        const columns = Object.keys(table.columns).filter((name) => table.columns[name]?.type === "TEXT");
        for (const column of columns) addTexts(texts, database, table.name, column);
      }
      return texts;
    }),
  );
}

function addTexts(texts: Set<string>, database: DatabaseSync, table: string, column: string): void {
  const rows = database.prepare(`SELECT DISTINCT ${column} AS text FROM ${table} WHERE length(${column}) <= ?`);
  for (const row of rows.iterate(LENGTH_MAX)) texts.add(String(row["text"]));
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined;
}
