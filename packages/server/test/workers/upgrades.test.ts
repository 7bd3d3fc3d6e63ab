import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import { tablesOf } from "@durable-streams-cloudflare/core/kit/sql/schema";
import { OLDER_DATABASES, type OlderDatabase } from "@durable-streams-cloudflare/core/test/older-databases";
import { describe, expect, it } from "vitest";

import { objectDatabase } from "../../src/bindings/object-database.ts";
import { content, evict, inObject, newEdge } from "./edge.ts";

const kinds = OLDER_DATABASES.map((older) => ({ kind: older.schema.kind, older }));

/** The statements of a server of one version. */
function statementsOf({ first, steps }: OlderDatabase, version: number): string[] {
  return [first, ...steps.slice(0, version - 1)].flat();
}

describe.each(kinds)("the database of a $kind, in workerd", ({ older }) => {
  const { schema, steps } = older;

  it.each([...steps.keys(), steps.length].map((index) => index + 1))(
    "[DU6] of version %i is brought up to date, and has all declared columns",
    async (version) => {
      const columns = await inObject(newEdge(), (_, { storage }) => {
        for (const statement of statementsOf(older, version)) storage.sql.exec(statement);
        const { tables } = objectDatabase(storage, schema);
        expect(tables.upgrade()).toBe(version === schema.version ? "current" : "upgraded");
        expect(tables.upgrade()).toBe("current");
        return tablesOf(schema)
          .filter((table) => tables.has(table))
          .map(({ name }) => [name, storage.sql.exec(`SELECT * FROM ${name}`).columnNames]);
      });
      expect(Object.fromEntries(columns)).toMatchObject(
        Object.fromEntries(schema.together.map(({ name, columns: declared }) => [name, Object.keys(declared)])),
      );
    },
  );
});

it("[DU6] a stream that the first version made is read and appended to", async () => {
  const edge = newEdge();
  const [stream] = OLDER_DATABASES;
  await inObject(edge, (_, { storage }) => {
    for (const statement of stream?.first ?? []) storage.sql.exec(statement);
  });
  await evict(edge);
  const appended = await edge.fetch("", { method: "POST", body: "d", headers: { "Content-Type": "text/plain" } });
  expect([appended.status, await content(edge)]).toEqual([204, "abcd"]);
});

it("a new object costs no more tables than it declares", async () => {
  for (const schema of SCHEMAS) {
    const names = await inObject(newEdge(), (_, { storage }) => {
      objectDatabase(storage, schema).tables.create(...schema.together);
      return storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").toArray();
    });
    const version = schema.version > 1 && schema.versionIn === undefined ? ["schema_version"] : [];
    expect(
      names
        .map(({ name }) => name)
        .filter((name) => !name.startsWith("_cf"))
        .toSorted(),
    ).toEqual([...schema.together.map(({ name }) => name), ...version].toSorted());
  }
});
