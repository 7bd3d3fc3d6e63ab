import { expect, it } from "vitest";

import { createOf, newHost, streamOn } from "../../../test/stream-fixture.ts";
import type { DirectoryApi } from "../host.ts";
import { SCHEMA_VERSION } from "../tables/schema.ts";

it("the directory hears of a stream that an older server made, once it is used", async () => {
  const heard: string[] = [];
  const directory: DirectoryApi = {
    note: async ({ stream, contentType }) => {
      heard.push(`${stream} ${contentType}`);
      return null;
    },
  };
  const host = newHost("project/old");
  const open = () => streamOn(Object.assign(host, { directory }));
  // As a server without a directory left it.
  await streamOn(host).create(createOf());
  host.database.run("UPDATE stream SET schema_version = ?", SCHEMA_VERSION - 1);
  host.database.run("ALTER TABLE stream DROP COLUMN records_authors");

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
