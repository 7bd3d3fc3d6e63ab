import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openStorage } from "../open-storage.ts";
import { StorageError } from "../storage-error.ts";
import type { Storage } from "../storage.ts";
import { NOBODY } from "../store.ts";
import { shardOf } from "./layout.ts";
import type { StorageOptions } from "./options.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "layout-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const NAMES = Array.from({ length: 40 }, (_, index) => `p/s${index}`);

function open(options: StorageOptions): Storage {
  const onFatal = (error: unknown): never => {
    throw error;
  };
  return openStorage({ dataDir, ...options }, { fire: async () => undefined, onFatal });
}

async function write(options: StorageOptions): Promise<void> {
  const storage = open(options);
  for (const name of NAMES) {
    const text = "INSERT INTO objects (kind, name, tables) VALUES ('stream', ?, '[]')";
    storage.storeOf("stream", name).run(NOBODY, text, name);
  }
  await storage.close();
}

/** The names that are found where they are looked for. */
async function found(options: StorageOptions): Promise<readonly string[]> {
  const storage = open(options);
  const names = NAMES.filter(
    (name) =>
      storage.storeOf("stream", name).database.text("SELECT 1 FROM objects WHERE name = ?").get(name) !== undefined,
  );
  await storage.close();
  return names;
}

function databases(): readonly string[] {
  return readdirSync(dataDir)
    .filter((name) => name.endsWith(".sqlite"))
    .toSorted();
}

it("an object's database never changes", () => {
  const places = ["stream p/a", "stream p/b", "project p", "wakes p/ü", "source x"].map((object) => {
    const [kind = "", name = ""] = object.split(" ");
    return [shardOf(kind, name, 1), shardOf(kind, name, 4), shardOf(kind, name, 64)];
  });
  expect(places).toEqual(PINNED);
  const counts = Array.from({ length: 4 }, () => 0);
  for (let index = 0; index < 4_000; index += 1) {
    const shard = shardOf("stream", `p/${index}`, 4);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(800);
});

/** Of one, four and 64 databases. */
const PINNED = [
  [0, 1, 21],
  [0, 0, 28],
  [0, 2, 62],
  [0, 0, 40],
  [0, 0, 48],
];

describe("a data directory of the mode acid", () => {
  it("[SM10] has as many databases as it was created with, whether or not their number is given again", async () => {
    await write({ mode: "acid", acidShardCount: 3 });
    expect(databases()).toEqual(["streams-1.sqlite", "streams-2.sqlite", "streams.sqlite"]);
    expect(await found({ mode: "acid" })).toEqual(NAMES);
    expect(await found({ mode: "acid", acidShardCount: 3 })).toEqual(NAMES);
  });

  it("has four by default", async () => {
    await write({ mode: "acid" });
    expect(databases()).toHaveLength(4);
  });

  it.each<StorageOptions>([
    { mode: "acid", acidShardCount: 2 },
    { mode: "acid", acidShardCount: 4 },
    { mode: "file-durable" },
    { mode: "file-fast" },
  ])("[SM10] refuses %j, says what to do, and is as it was", async (options) => {
    await write({ mode: "acid", acidShardCount: 3 });
    const before = databases().map((name) => readFileSync(join(dataDir, name)));
    expect(() => open(options)).toThrow(
      expect.objectContaining({ name: "StorageError", fix: expect.stringContaining("acid") }),
    );
    expect(databases().map((name) => readFileSync(join(dataDir, name)))).toEqual(before);
    expect(await found({ mode: "acid" })).toEqual(NAMES);
  });

  it.each(["streams.sqlite", "streams-1.sqlite", "streams-2.sqlite"])(
    "[SM10] that has lost %s is refused, and its place is not taken by an empty database",
    async (name) => {
      await write({ mode: "acid", acidShardCount: 3 });
      const aside = `${dataDir}-${name}`;
      renameSync(join(dataDir, name), aside);
      for (const acidShardCount of [undefined, 3]) {
        expect(() => open({ mode: "acid", acidShardCount })).toThrow(StorageError);
      }
      expect(databases()).not.toContain(name);
      renameSync(aside, join(dataDir, name));
      expect(await found({ mode: "acid" })).toEqual(NAMES);
    },
  );

  it("[SM10] whose files were exchanged is refused", async () => {
    await write({ mode: "acid", acidShardCount: 3 });
    renameSync(join(dataDir, "streams-1.sqlite"), join(dataDir, "aside"));
    renameSync(join(dataDir, "streams-2.sqlite"), join(dataDir, "streams-1.sqlite"));
    renameSync(join(dataDir, "aside"), join(dataDir, "streams-2.sqlite"));
    expect(() => open({ mode: "acid" })).toThrow("should be number 2 of 3, but it is number 1 of 3");
  });

  it("whose first start was interrupted goes on with it", async () => {
    await open({ mode: "acid", acidShardCount: 3 }).close();
    for (const name of ["streams.sqlite", "streams-1.sqlite"]) rmSync(join(dataDir, name));
    await write({ mode: "acid" });
    expect([databases().length, await found({ mode: "acid" })]).toEqual([3, NAMES]);
  });
});

describe("a data directory with one database", () => {
  it.each<[StorageOptions["mode"], StorageOptions["mode"]]>([
    ["file-fast", "file-durable"],
    ["file-durable", "file-fast"],
    ["file-durable", "acid"],
    ["acid", "file-fast"],
  ])("[SM10] is taken from the mode %s to %s and back", async (one, other) => {
    await write(one === "acid" ? { mode: one, acidShardCount: 1 } : { mode: one });
    expect([await found({ mode: other }), await found({ mode: one })]).toEqual([NAMES, NAMES]);
    expect(databases()).toEqual(["streams.sqlite"]);
  });

  it("[SM10] refuses to be several, and says what to do", async () => {
    await write({ mode: "file-durable" });
    const refused = {
      message: expect.stringContaining("in one database"),
      fix: expect.stringContaining("acidShardCount to 1"),
    };
    expect(() => open({ mode: "acid", acidShardCount: 4 })).toThrow(expect.objectContaining(refused));
    expect(databases()).toEqual(["streams.sqlite"]);
  });

  it("of a server that knew no others is opened, and is the only one", async () => {
    await write({ mode: "file-durable" });
    const storage = open({ mode: "file-durable" });
    storage.first.run(NOBODY, "DELETE FROM layout");
    await storage.close();
    expect(await found({ mode: "file-fast" })).toEqual(NAMES);
    expect(await found({ mode: "acid" })).toEqual(NAMES);
  });
});
