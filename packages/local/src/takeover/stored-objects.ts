/** The objects of a data directory of workerd: a file for each, in a folder for its class. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";

import { SCHEMAS } from "@durable-streams-cloudflare/core/data-version";
import { partitionOf } from "@durable-streams-cloudflare/core/kit/sql/ddl";
import { tablesOf, type Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Kind } from "@durable-streams-cloudflare/core/kit/sql/table";

import { Failure } from "../failure.ts";
import { WORKER_NAME } from "../worker-name.ts";
import { withRows, withSource } from "./source-database.ts";

/** An object that has a file. */
export interface StoredObject {
  readonly kind: Kind;
  readonly schema: Schema;
  /** The folder that contains its file. Its id depends on that. */
  readonly namespace: string;
  readonly id: string;
  readonly path: string;
  /** When workerd would have fired its alarm, in ms since the epoch. */
  readonly alarmAtMs: number | undefined;
  /** As workerd has recorded it with the alarm. */
  readonly alarmName: string | undefined;
}

const KINDS: Readonly<Record<string, Kind>> = {
  StreamDO: "stream",
  SubscriptionDO: "source",
  EstuaryDO: "session",
  ConsumerDO: "wakes",
  ProjectDO: "project",
};

const FILE = /^([0-9a-f]{64})\.sqlite$/;
const NS_PER_MS = 1_000_000n;

/** Lists the objects that have a file. @throws Failure if there are objects of an unknown class. */
export function storedObjects(dataDir: string, workDir: string): StoredObject[] {
  return readdirSync(join(dataDir, "do")).flatMap((namespace) => {
    const folder = join(dataDir, "do", namespace);
    const ids = readdirSync(folder).flatMap((name) => FILE.exec(name)?.[1] ?? []);
    if (ids.length === 0) return [];
    const kind = namespace.startsWith(`${WORKER_NAME}-`) ? KINDS[namespace.slice(WORKER_NAME.length + 1)] : undefined;
    const schema = SCHEMAS.find((each) => each.kind === kind);
    if (kind === undefined || schema === undefined) {
      throw new Failure(
        `${folder} has objects of a kind that this version does not know.`,
        "use the newest version of durable-streams",
      );
    }
    const alarms = alarmsIn(folder, workDir);
    return ids.map((id): StoredObject => {
      const alarm = alarms.get(id);
      const path = join(folder, `${id}.sqlite`);
      return { kind, schema, namespace, id, path, alarmAtMs: alarm?.atMs, alarmName: alarm?.name };
    });
  });
}

/**
 * The time of an object's alarm. workerd has it twice: in the object's own database, which is what counts, and in the list of
 * its class. After a crash one of them may be missing or late. An alarm that fires early does no harm.
 */
export function alarmOf(location: string, { alarmAtMs }: StoredObject): number | undefined {
  const own = withRows(location, (database) => {
    if (!hasTable(database, "_cf_METADATA")) return undefined;
    return msOf(allRows(database, "SELECT value FROM _cf_METADATA WHERE key = 1")[0]?.["value"]);
  });
  const known = [own, alarmAtMs].filter((at) => at !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Whether an object has any row. One that was deleted may have left tables without any. */
export function storesRows({ path, schema }: StoredObject, workDir: string): boolean {
  return withSource(path, { workDir }, (location) =>
    withRows(location, (database) => {
      const names = allRows(database, "SELECT name FROM sqlite_master WHERE type = 'table'").map((row) =>
        String(row["name"]),
      );
      const own = names.filter((name) => tablesOf(schema).some((table) => partitionOf(table, name) !== undefined));
      return own.some((name) => database.prepare(`SELECT 1 FROM ${name} LIMIT 1`).get() !== undefined);
    }),
  );
}

interface Alarm {
  readonly atMs: number | undefined;
  readonly name: string | undefined;
}

function alarmsIn(folder: string, workDir: string): Map<string, Alarm> {
  const path = join(folder, "metadata.sqlite");
  if (!existsSync(path)) return new Map();
  return withSource(path, { workDir }, (location) =>
    withRows(location, (database) => {
      if (!hasTable(database, "_cf_ALARM")) return new Map();
      const rows = allRows(database, "SELECT * FROM _cf_ALARM");
      return new Map(
        rows.map((row) => {
          const name = row["actor_name"];
          return [
            String(row["actor_id"]),
            { atMs: msOf(row["scheduled_time"]), name: typeof name === "string" ? name : undefined },
          ];
        }),
      );
    }),
  );
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

/** Times in nanoseconds do not fit into a JavaScript number. */
function allRows(database: DatabaseSync, text: string): Record<string, unknown>[] {
  const statement = database.prepare(text);
  statement.setReadBigInts(true);
  return statement.all();
}

function msOf(ns: unknown): number | undefined {
  return typeof ns === "bigint" ? Number(ns / NS_PER_MS) : undefined;
}
