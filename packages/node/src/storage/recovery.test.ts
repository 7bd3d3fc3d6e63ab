import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { recoveryOf } from "./recovery.ts";
import { SharedDatabase } from "./shared-database.ts";
import type { Store } from "./store.ts";

it("the streams of users are counted, and not those that the server makes for itself", () => {
  const directory = mkdtempSync(join(tmpdir(), "recovery-"));
  const database = new SharedDatabase({
    path: join(directory, "streams.sqlite"),
    isFull: false,
    place: { shard: 0, shards: 1 },
    sync: async () => undefined,
  });
  onTestFinished(() => {
    database.close();
    rmSync(directory, { recursive: true });
  });
  const names = ["p/a", "p/__registry__", "q/__registry__", "p/a/__registry__", "__registry__/b"];
  for (const [at, name] of names.entries()) {
    database.text("INSERT INTO objects (o, kind, name, tables) VALUES (?, 'stream', ?, '[]')").run(at + 1, name);
  }
  database.text("INSERT INTO objects (o, kind, name, tables) VALUES (99, 'project', 'p', '[]')").run();
  const store = { database } as Store;
  expect(recoveryOf([store], 0)).toBeUndefined();
  expect(recoveryOf([store], 1)).toEqual({ pages: 0, uploads: 1, streams: 3 });
});
