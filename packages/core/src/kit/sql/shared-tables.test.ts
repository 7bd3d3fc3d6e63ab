import { DatabaseSync } from "node:sqlite";

import { expect, it } from "vitest";

import { inTransaction } from "../../../test/sqlite.ts";
import { SCHEMAS } from "../../data-version.ts";
import { integer, nullable, since, text } from "./column.ts";
import type { Engine } from "./engine.ts";
import { schema, tablesOf } from "./schema.ts";
import { prepareSharedTables } from "./shared-tables.ts";
import { table } from "./table.ts";

const KEY = { kind: "project", name: "things", key: ["id"] } as const;
const first = schema({ kind: "project", onDemand: [table({ ...KEY, columns: { id: text() } })] });
const second = schema({
  kind: "project",
  onDemand: [
    table({
      ...KEY,
      columns: { id: text(), note: since(2, nullable(text())), rank: since(2, integer(7)) },
      indexes: { things_ranks: { columns: ["rank"] } },
    }),
    table({ kind: "project", name: "late", columns: { id: text() }, key: ["id"], since: 2 }),
  ],
});

function engineOf(sqlite: DatabaseSync): Engine {
  return {
    exec: <R>(statement: string, ...params: unknown[]) => sqlite.prepare(statement).all(...(params as string[])) as R[],
    transaction: (work) => inTransaction(sqlite, work),
  };
}

const tablesIn = (engine: Engine): unknown[] =>
  engine
    .exec("SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%' ORDER BY name")
    .map(({ name }) => name);

it("all tables of all kinds are made in one database, and once", () => {
  const engine = engineOf(new DatabaseSync(":memory:"));
  prepareSharedTables(engine, SCHEMAS);
  const made = tablesIn(engine);
  const declared = SCHEMAS.flatMap(tablesOf).map((each) => each.nameIn("shared"));
  expect(new Set(declared).size).toBe(declared.length);
  expect(made).toEqual(expect.arrayContaining(declared));
  prepareSharedTables(engine, SCHEMAS);
  expect(tablesIn(engine)).toEqual(made);
});

it("[DU6] the rows of all objects get what a later version brought", () => {
  const engine = engineOf(new DatabaseSync(":memory:"));
  prepareSharedTables(engine, [first]);
  engine.exec("INSERT INTO project_things (o, id) VALUES (1, 'a'), (2, 'a')");
  prepareSharedTables(engine, [second]);
  expect(engine.exec("SELECT * FROM project_things")).toEqual([
    { o: 1, id: "a", note: null, rank: 7 },
    { o: 2, id: "a", note: null, rank: 7 },
  ]);
  const fresh = engineOf(new DatabaseSync(":memory:"));
  prepareSharedTables(fresh, [second]);
  expect(tablesIn(engine)).toEqual(tablesIn(fresh));
});

it("[DU6] a database of a newer server is refused, and left alone", () => {
  const engine = engineOf(new DatabaseSync(":memory:"));
  prepareSharedTables(engine, [second]);
  const before = tablesIn(engine);
  expect(() => prepareSharedTables(engine, [first])).toThrow("supports at most 1: deploy a newer server");
  expect(tablesIn(engine)).toEqual(before);
});
