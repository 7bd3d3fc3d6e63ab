import { expect, it } from "vitest";

import { NodeDatabase } from "../../../test/node-database.ts";
import { createLinkTables, readSource, writeSource, type SourceRow } from "./link-rows.ts";
import { LINK_SCHEMA, sourceTable } from "./tables.ts";

const REST = {
  token: 1,
  incarnation: 5,
  contentType: "text/plain",
  position: 10,
  closedAt: null,
  endedIncarnation: 0,
  activeAtMs: 0,
};
const PASS = { to: 20, after: "session", sent: { upTo: "session", atMs: 1 } };

const WRITE = sourceTable.replace(["id", "facts"]);
const READ = sourceTable.select(["facts"]);

it.each([null, PASS])("a pass is stored by the name that the release before knows: %j", (pass) => {
  const database = new NodeDatabase(LINK_SCHEMA);
  createLinkTables(database);
  writeSource(database, { ...REST, pass });
  expect(database.all(READ).map(({ facts }) => JSON.parse(facts) as unknown)).toEqual([{ ...REST, round: pass }]);
  expect(readSource(database)).toEqual({ ...REST, pass } satisfies SourceRow);
});

it.each(["round", "pass"])("a pass that is stored as %s is gone on with", (name) => {
  const database = new NodeDatabase(LINK_SCHEMA);
  createLinkTables(database);
  database.run(WRITE, 1, JSON.stringify({ ...REST, [name]: PASS }));
  expect(readSource(database)).toEqual({ ...REST, pass: PASS });
});
