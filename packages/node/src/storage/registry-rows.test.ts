/** What a search of the registry returns, and between which keys SQLite looks for it. */
import { expect, it, onTestFinished } from "vitest";

import { openStorage } from "./open-storage.ts";
import { LIST_KEYS, registryIn } from "./registry-rows.ts";

async function filledRegistry() {
  const storage = openStorage({ mode: "memory" }, { fire: () => Promise.resolve(), onFatal: () => undefined });
  onTestFinished(() => storage.close());
  const registry = registryIn(storage.first);
  for (const key of ["a:1", "a:2", "m:1", "m:2", "m:3", "z:1"]) await registry.put(key, "{}");
  return { registry, database: storage.first.database };
}

it("lists the keys that have a prefix, page by page", async () => {
  const { registry } = await filledRegistry();
  const first = await registry.list({ prefix: "m:", limit: 2 });
  expect(first).toEqual({ keys: [{ name: "m:1" }, { name: "m:2" }], list_complete: false, cursor: "m:2" });
  const next = await registry.list({ prefix: "m:", limit: 2, cursor: "m:2" });
  expect(next).toEqual({ keys: [{ name: "m:3" }], list_complete: true });
  expect(await registry.list({ prefix: "m:", cursor: "a:1" })).toMatchObject({ keys: { length: 3 } });
  expect(await registry.list({ prefix: "q:" })).toEqual({ keys: [], list_complete: true });
});

it("reads no key before or behind those that it returns", async () => {
  const { database } = await filledRegistry();
  const plan = database.text(`EXPLAIN QUERY PLAN ${LIST_KEYS}`).all("", "m:", "n", "", 10);
  expect(plan.map((row) => row["detail"])).toEqual([
    expect.stringMatching(/^SEARCH registry .*\(key>\? AND key<\?\)$/),
  ]);
  expect(LIST_KEYS.match(/(?<!\+)key >/g)).toHaveLength(1);
});
