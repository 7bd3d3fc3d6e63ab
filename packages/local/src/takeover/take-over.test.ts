import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { OLDER_DATABASES } from "@durable-streams-cloudflare/core/test/older-databases";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { objectId } from "./object-id.ts";
import { takeOver } from "./take-over.ts";

const CLASSES = { stream: "StreamDO", source: "SubscriptionDO", session: "EstuaryDO", wakes: "ConsumerDO" } as const;

let workDir: string;

beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), "take-over-"));
});
afterEach(() => rmSync(workDir, { recursive: true, force: true }));

/** Writes an object, and its name where workerd has it: beside its alarm. */
function write(from: string, folder: string, name: string, statements: readonly string[]): void {
  const directory = join(from, "do", `durable-streams-${folder}`);
  mkdirSync(directory, { recursive: true });
  const id = objectId(`durable-streams-${folder}`, name);
  using database = new DatabaseSync(join(directory, `${id}.sqlite`));
  for (const statement of statements) database.exec(statement);
  using alarms = new DatabaseSync(join(directory, "metadata.sqlite"));
  alarms.exec(
    "CREATE TABLE IF NOT EXISTS _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT)",
  );
  alarms.exec(`INSERT INTO _cf_ALARM VALUES ('${id}', 1796070194271000000, '${name}')`);
}

describe.each(OLDER_DATABASES.filter(({ schema }) => schema.kind in CLASSES))(
  "an object of the kind $schema.kind",
  ({ schema, first, steps }) => {
    const folder = CLASSES[schema.kind as keyof typeof CLASSES];

    it("is brought up to date from every version of its tables, and keeps its alarm", async () => {
      for (let version = 0; version <= steps.length; version += 1) {
        const [from, to] = [join(workDir, `from-${version}`), join(workDir, `to-${version}`)];
        write(from, folder, "p/a", [...first, ...steps.slice(0, version).flat()]);
        expect(await takeOver({ from, to })).toMatchObject({ objects: 1 });
        using database = new DatabaseSync(join(to, "streams.sqlite"));
        expect(database.prepare("SELECT kind, name, at_ms FROM objects JOIN alarms USING (o)").all()).toEqual([
          { __proto__: null, kind: schema.kind, name: "p/a", at_ms: 1_796_070_194_271 },
        ]);
        // Made together, so the oldest version has it as well.
        const [table] = schema.together;
        const row = database.prepare(`SELECT * FROM ${table?.nameIn("shared")}`).get() ?? {};
        const { column = "id" } = schema.versionIn ?? {};
        expect(row[column]).toBe(schema.versionIn === undefined ? 1 : schema.version);
      }
    });
  },
);

it("a path with nothing at it is told from a directory that is of no server", async () => {
  const to = join(workDir, "to");
  await expect(takeOver({ from: join(workDir, "none"), to })).rejects.toMatchObject({
    message: `There is nothing at ${join(workDir, "none")}.`,
    fix: expect.stringContaining("--data-dir DIR"),
  });
  await expect(takeOver({ from: workDir, to })).rejects.toThrow("is not the data directory of a server");
  expect(readdirSync(workDir)).toEqual([]);
});

it("[DU7] after a kill -9 in the middle, the same command copies everything", async () => {
  const [from, to] = [join(workDir, "from"), join(workDir, "to")];
  const [older] = OLDER_DATABASES;
  for (let stream = 0; stream < 10; stream += 1) write(from, "StreamDO", `p/${stream}`, older?.first ?? []);
  const code = `import { takeOver } from ${JSON.stringify(new URL("take-over.ts", import.meta.url))};
    const onProgress = (copied) => copied === 5 && process.kill(process.pid, "SIGKILL");
    await takeOver({ from: ${JSON.stringify(from)}, to: ${JSON.stringify(to)}, onProgress });`;
  expect(spawnSync(process.execPath, ["--input-type=module", "-e", code]).signal).toBe("SIGKILL");
  expect(readdirSync(workDir).toSorted()).toEqual(["from", "to.unfinished"]);
  expect(await takeOver({ from, to })).toEqual({ streams: 10, objects: 10, segments: 0 });
  expect(readdirSync(workDir).toSorted()).toEqual(["from", "to"]);
});

it("what stores nothing is left out, and an interrupted takeover leaves nothing", async () => {
  const [from, to] = [join(workDir, "from"), join(workDir, "to")];
  write(from, "StreamDO", "p/empty", []);
  const signal = AbortSignal.abort();
  await expect(takeOver({ from, to, signal })).rejects.toThrow(/abort/);
  expect(await takeOver({ from, to })).toEqual({ streams: 0, objects: 0, segments: 0 });
});

it("an object of a newer version is refused, with what to do", async () => {
  const from = join(workDir, "from");
  write(from, "ConsumerDO", "p/a", [
    "CREATE TABLE schema_version (id INTEGER PRIMARY KEY, version INTEGER NOT NULL)",
    "INSERT INTO schema_version VALUES (1, 99)",
    "CREATE TABLE consumer (id INTEGER PRIMARY KEY)",
  ]);
  await expect(takeOver({ from, to: join(workDir, "to") })).rejects.toMatchObject({
    message: expect.stringContaining("schema version 99"),
    fix: expect.stringContaining("newest version"),
  });
});
