/**
 * Which streams have links that were made by which key, in a project's object.
 *
 * Table `link_keys`: one row per stream and key, with the number of the stream's following that it belongs to. Table
 * `ended_keys`: one row per key whose links were ended. `after`: the last stream whose links are ended; null when all are.
 */

import { firstRow, type Database } from "../../kit/database.ts";
import { integer, nullable, text } from "../../kit/sql/column.ts";
import { table } from "../../kit/sql/table.ts";

export const linkKeysTable = table({
  kind: "project",
  name: "link_keys",
  columns: { source: text(), kid: text(), token: integer() },
  key: ["source", "kid"],
});

export const endedKeysTable = table({
  kind: "project",
  name: "ended_keys",
  columns: { kid: text(), after: nullable(text()) },
  key: ["kid"],
});

/** A late word of an earlier following must not take the key from the one that there is. */
const NOTE_LINK_KEY = linkKeysTable.upsert(["source", "kid", "token"], "token = max(token, excluded.token)");
const DELETE_OF_FOLLOWING = linkKeysTable.delete("source = ? AND token <= ?");
const DELETE_LINK_KEY = linkKeysTable.delete("source = ? AND kid = ?");
const SOURCES_OF_KEY = linkKeysTable.select(["source"], {
  where: "source > ? AND kid = ?",
  orderBy: "source",
  limit: "?",
});

const REPLACE_ENDED = endedKeysTable.replace(["kid", "after"]);
const IS_ENDED = endedKeysTable.exists("kid = ?");
const NEXT_ENDED = endedKeysTable.compute<{ kid: string; after: string }>("kid, after", {
  where: "after IS NOT NULL",
  limit: "1",
});
const UPDATE_ENDED = endedKeysTable.update("after = ?", "kid = ?");

/** A stream's full name, and a key that has made links to it. */
export interface LinkKeyRow {
  readonly source: string;
  readonly kid: string;
}

export function insertLinkKey(database: Database, { source, kid }: LinkKeyRow, token: number): void {
  database.tables.create(linkKeysTable, endedKeysTable);
  database.run(NOTE_LINK_KEY, source, kid, token);
}

/** Deletes the rows of a following that has ended, and of earlier ones. */
export function deleteLinkKeys(database: Database, source: string, token: number): void {
  if (!hasTables(database)) return;
  database.run(DELETE_OF_FOLLOWING, source, token);
}

export function deleteLinkKey(database: Database, { source, kid }: LinkKeyRow): void {
  database.run(DELETE_LINK_KEY, source, kid);
}

/** Streams with links by a key, in the order of their names. */
export function sourcesOfKey(database: Database, kid: string, after: string, limit: number): string[] {
  return database.all(SOURCES_OF_KEY, after, kid, limit).map(({ source }) => source);
}

/** Records that the key makes no more links, and that those it has made must be ended. */
export function insertEndedKey(database: Database, kid: string): void {
  database.tables.create(linkKeysTable, endedKeysTable);
  database.run(REPLACE_ENDED, kid, "");
}

export function isEndedKey(database: Database, kid: string): boolean {
  if (!hasTables(database)) return false;
  return firstRow(database, IS_ENDED, kid) !== undefined;
}

/** A key with links that are still to be ended, and the last stream whose links are. */
export function nextEndedKey(database: Database): { readonly kid: string; readonly after: string } | undefined {
  if (!hasTables(database)) return undefined;
  return firstRow(database, NEXT_ENDED);
}

/** Records how far the links of a key have been ended. @param after `null`: all of them. */
export function updateEndedKey(database: Database, kid: string, after: string | null): void {
  database.run(UPDATE_ENDED, after, kid);
}

function hasTables({ tables }: Database): boolean {
  return tables.has(linkKeysTable);
}
