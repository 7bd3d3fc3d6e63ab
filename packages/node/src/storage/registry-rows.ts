/**
 * The project records that are published for the edge, in the table `registry`. On Cloudflare this is the KV namespace
 * `REGISTRY`.
 */

import type { RegistryNamespace } from "@durable-streams-cloudflare/http/ports";

import { DURABLE } from "./commit.ts";
import { NOBODY, type Store } from "./store.ts";

const PAGE_KEYS_MAX = 1_000;
/** Behind a prefix, it sorts after every key that has the prefix: keys have 512 bytes, a character at most four. */
const BEYOND_KEYS = "\u{10ffff}".repeat(129);
/**
 * One bound below and one above, so that only the keys that are returned are read. The plus keeps SQLite from beginning at
 * the other condition, which only leaves out the key that the page before ended with.
 */
export const LIST_KEYS =
  "SELECT key FROM registry WHERE key >= max(?, ?) AND key < ? AND +key > ? ORDER BY key LIMIT ?";

/** Creates the registry of projects in a store's database. A `put` resolves when it is durable. */
export function registryIn(store: Store): RegistryNamespace {
  const { database } = store;
  let written = DURABLE;
  const write = (text: string, ...params: readonly string[]): Promise<void> => {
    written = store.run(NOBODY, text, ...params);
    return written.durable();
  };
  /** What is read leaves when it is durable; what was lost meanwhile is read again. */
  const read = async <T>(work: () => T): Promise<T> => {
    for (;;) {
      const commit = written;
      const value = work();
      await commit.settled();
      if (commit.isDurable) return value;
      if (commit === written) written = DURABLE;
    }
  };
  return {
    get: (key) =>
      read(() => {
        const row = database.text("SELECT value FROM registry WHERE key = ?").get(key);
        return row === undefined ? null : String(row["value"]);
      }),
    put: async (key, value) => write("INSERT OR REPLACE INTO registry (key, value) VALUES (?, ?)", key, value),
    delete: async (key) => write("DELETE FROM registry WHERE key = ?", key),
    list: ({ prefix, cursor, limit = PAGE_KEYS_MAX }) =>
      read(() => {
        const after = cursor ?? "";
        const rows = database.text(LIST_KEYS).all(after, prefix, prefix + BEYOND_KEYS, after, limit + 1);
        const keys = rows.slice(0, limit).map((row) => ({ name: String(row["key"]) }));
        const last = keys.at(-1);
        return rows.length > limit && last !== undefined
          ? { keys, list_complete: false, cursor: last.name }
          : { keys, list_complete: true };
      }),
  };
}
