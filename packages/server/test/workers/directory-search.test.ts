/** What a search in the directory of a large project is billed for. */
import type { Database } from "@durable-streams-cloudflare/core/kit/database";
import { applyNotice, listStreams } from "@durable-streams-cloudflare/core/project/tables/directory-rows";
import { PROJECT_SCHEMA } from "@durable-streams-cloudflare/core/project/tables/schema";
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

import { objectDatabase } from "../../src/bindings/object-database.ts";
import { countedDatabase } from "./rows.ts";

const OTHERS = 300;
const FOUND = 3;

it("[IN17] a search by prefix reads the streams that it returns, and none of those before or behind them", async () => {
  const rows = await runInDurableObject(env.PROJECTS.getByName(crypto.randomUUID()), (_, { storage }) => {
    fill(objectDatabase(storage, PROJECT_SCHEMA));
    const database = countedDatabase(storage, PROJECT_SCHEMA);
    const search = (prefix: string, after: string): { names: string[]; rowsRead: number } => {
      database.rowsRead = 0;
      const names = listStreams(database, prefix, after, 100).map(({ name }) => name);
      return { names, rowsRead: database.rowsRead };
    };
    return [search("m-", ""), search("m-", "m-0"), search("m-", "a-299"), search("q-", "")];
  });
  expect(rows.map(({ names }) => names)).toEqual([["m-0", "m-1", "m-2"], ["m-1", "m-2"], ["m-0", "m-1", "m-2"], []]);
  // The last name of the page before may be one more.
  for (const { rowsRead } of rows) expect(rowsRead).toBeLessThanOrEqual(FOUND + 1);
});

function fill(database: Database): void {
  const add = (stream: string): void => {
    applyNotice(database, { stream, incarnation: 1, contentType: "text/plain", atMs: 1 });
  };
  for (let index = 0; index < OTHERS; index += 1) for (const prefix of ["a-", "z-"]) add(`${prefix}${index}`);
  for (let index = 0; index < FOUND; index += 1) add(`m-${index}`);
}
