/** What projects publish for the edge, in the table `registry`: on Cloudflare that is KV. */

import type { RegistryNamespace } from "@durable-streams-cloudflare/http/ports";

import { NOBODY, type Store } from "./store.ts";

const PAGE_KEYS_MAX = 1_000;

export function registryIn(store: Store): RegistryNamespace {
  const { database, commits } = store;
  const write = async (text: string, ...params: readonly string[]): Promise<void> => {
    const commit = store.write(NOBODY);
    database.text(text).run(...params);
    await commits.durable(commit);
  };
  return {
    get: async (key) => {
      const row = database.text("SELECT value FROM registry WHERE key = ?").get(key);
      return row === undefined ? null : String(row["value"]);
    },
    put: (key, value) => write("INSERT OR REPLACE INTO registry (key, value) VALUES (?, ?)", key, value),
    delete: (key) => write("DELETE FROM registry WHERE key = ?", key),
    list: async ({ prefix, cursor, limit = PAGE_KEYS_MAX }) => {
      const text = "SELECT key FROM registry WHERE key > ? AND key >= ? AND substr(key, 1, ?) = ? ORDER BY key LIMIT ?";
      const rows = database.text(text).all(cursor ?? "", prefix, prefix.length, prefix, limit + 1);
      const keys = rows.slice(0, limit).map((row) => ({ name: String(row["key"]) }));
      const last = keys.at(-1);
      return rows.length > limit && last !== undefined
        ? { keys, list_complete: false, cursor: last.name }
        : { keys, list_complete: true };
    },
  };
}
