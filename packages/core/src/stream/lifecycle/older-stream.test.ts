import { expect, it } from "vitest";

import { NodeDatabase } from "../../../test/node-database.ts";
import { createOf, newHost, streamOn } from "../../../test/stream-fixture.ts";
import type { DirectoryApi } from "../host.ts";
import { STREAM_SCHEMA } from "../tables/schema.ts";

it("the directory hears of a stream that an older server made, once it is used", async () => {
  const heard: string[] = [];
  const directory: DirectoryApi = {
    note: async ({ stream, contentType }) => {
      heard.push(`${stream} ${contentType}`);
      return null;
    },
  };
  const host = Object.assign(newHost("project/old"), { database: new NodeDatabase(STREAM_SCHEMA, "object") });
  const open = () => streamOn(Object.assign(host, { directory }));
  // As a server without a directory left it.
  await streamOn(host).create(createOf());
  host.database.exec("UPDATE stream SET schema_version = ?", STREAM_SCHEMA.version - 1);
  host.database.exec("ALTER TABLE stream DROP COLUMN records_authors");

  const stream = open();
  expect(stream.head()).toMatchObject({ ok: true });
  host.nowMs = Math.max(host.nowMs, host.alarmAtMs ?? 0);
  await stream.alarm();
  expect(heard).toEqual(["old text/plain"]);

  // Afterwards it is like any other.
  const again = open();
  again.head();
  await again.alarm();
  expect(heard).toHaveLength(1);
});
