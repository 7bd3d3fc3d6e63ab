/**
 * Takes over a data directory of the engine workerd: writes a new one for the engine node, which has the same objects with the
 * same rows, so every offset stays what it was. The old directory is only read. The new one gets its name when it is complete
 * and durable, so a takeover that is interrupted leaves nothing that a server would start on.
 */

import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";

import { makeDirectory, NewDirectory, StorageError } from "@durable-streams-cloudflare/node/data";

import { claimDataDir } from "../claim.ts";
import { refuseNewerData } from "../data-version.ts";
import { Failure } from "../failure.ts";
import { requireNoData, writeUnfinished } from "../unfinished-directory.ts";
import { blobsOf, copySegment, textOf } from "./blobs.ts";
import { nameObjects } from "./names.ts";
import { withSource } from "./source-database.ts";
import { alarmOf, storedObjects, storesRows, type StoredObject } from "./stored-objects.ts";

export interface TakeoverOptions {
  /** The data directory of a stopped server that ran on workerd. */
  readonly from: string;
  /** The directory for the engine node. It must be missing or empty. */
  readonly to: string;
  /** Called after each object and each segment. */
  readonly onProgress?: (copied: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/** What a takeover has copied. */
export interface Takeover {
  readonly streams: number;
  /** Streams, sessions, subscriptions and projects. */
  readonly objects: number;
  readonly segments: number;
}

const PROJECT_KEY = "project:";
/** Paths of objects without a name that the message lists. */
const LISTED_MAX = 5;

/**
 * Takes over a data directory.
 * @throws Failure if it cannot be taken over as a whole: it says why, and what to do. Nothing then has the new name.
 */
export async function takeOver(options: TakeoverOptions): Promise<Takeover> {
  const [from, to] = [resolve(options.from), resolve(options.to)];
  refuseOthers(from);
  requireNoData(to);
  const release = await claimDataDir(from);
  try {
    refuseNewerData(from);
    return await writeUnfinished(to, (unfinished) => copyAll(from, unfinished, options));
  } catch (error) {
    throw error instanceof StorageError ? new Failure(error.message, error.fix) : error;
  } finally {
    release();
  }
}

function refuseOthers(from: string): void {
  if (existsSync(join(from, "streams.sqlite"))) {
    throw new Failure(`The data in ${from} belongs to the engine "node" already.`, "start the server on it");
  }
  if (!existsSync(from))
    throw new Failure(`There is nothing at ${from}.`, "name the old data directory: --data-dir DIR");
  if (existsSync(join(from, "do"))) return;
  throw new Failure(`${from} is not the data directory of a server on the engine "workerd".`, "use --data-dir DIR");
}

async function copyAll(
  from: string,
  to: string,
  { onProgress, signal = new AbortController().signal }: TakeoverOptions,
): Promise<Takeover> {
  makeDirectory(to);
  const workDir = join(to, "tmp");
  const records = blobsOf(from, "kv", workDir);
  const segments = blobsOf(from, "r2", workDir);
  const objects = storedObjects(from, workDir);
  const projects = records.flatMap(({ key }) => (key.startsWith(PROJECT_KEY) ? [key.slice(PROJECT_KEY.length)] : []));
  const names = nameObjects(objects, projects, workDir);
  const target = new NewDirectory(to);
  try {
    let copied = 0;
    const advance = async (): Promise<void> => {
      onProgress?.((copied += 1), objects.length + segments.length);
      // So that the command can be interrupted.
      await setImmediate();
      signal.throwIfAborted();
    };
    for (const record of records) target.addRecord(record.key, textOf(record));
    const { stored, streams } = await copyObjects({ from, workDir, target, objects, names }, advance);
    for (const segment of segments) {
      await copySegment(target.segments, segment, signal);
      await advance();
    }
    await target.finish();
    return { streams, objects: stored, segments: segments.length };
  } finally {
    target.close();
  }
}

interface Copying {
  readonly from: string;
  readonly workDir: string;
  readonly target: NewDirectory;
  readonly objects: readonly StoredObject[];
  readonly names: ReadonlyMap<string, string>;
}

/** @throws Failure if there is an object that stores something and whose name is unknown. Nothing is copied then. */
async function copyObjects(
  { from, workDir, target, objects, names }: Copying,
  advance: () => Promise<void>,
): Promise<{ readonly stored: number; readonly streams: number }> {
  const nameless = objects.filter(({ path }) => !names.has(path));
  refuseNameless(nameless.filter((object) => storesRows(object, workDir)).map(({ path }) => relative(from, path)));
  let [stored, streams] = [0, 0];
  for (const object of objects) {
    const { kind, schema, path } = object;
    const name = names.get(path);
    const isCopied =
      name !== undefined &&
      withSource(path, { workDir, schema }, (location) =>
        target.copy({ kind, name, location, alarmAtMs: alarmOf(location, object) }),
      );
    if (isCopied) stored += 1;
    if (isCopied && kind === "stream") streams += 1;
    await advance();
  }
  return { stored, streams };
}

function refuseNameless(paths: readonly string[]): void {
  if (paths.length === 0) return;
  const more = paths.length > LISTED_MAX ? ` and ${paths.length - LISTED_MAX} more` : "";
  throw new Failure(
    `Nothing in the directory mentions the name of ${paths.slice(0, LISTED_MAX).join(", ")}${more}.`,
    "start the server with --engine workerd and read each stream that it should have once (durable-streams stream head NAME), " +
      "so that the project lists it; or leave these objects behind: move away their files; then run the command again",
  );
}
