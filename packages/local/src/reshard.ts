/** Copies a data directory of the engine node into a new one with another number of databases, for the storage mode acid. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

import { reshard, StorageError, type Resharded } from "@durable-streams-cloudflare/node/data";

import { claimDataDir } from "./claim.ts";
import { Failure } from "./failure.ts";
import { requireNoData, writeUnfinished } from "./unfinished-directory.ts";

export interface ReshardOptions {
  /** The data directory of a stopped server that ran on the engine node. */
  readonly from: string;
  /** The new directory. It must be missing or empty. */
  readonly to: string;
  /** How many databases it gets. */
  readonly shards: number;
  /** Called after each step. */
  readonly onProgress?: (done: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/** @throws Failure if it cannot be copied as a whole: it says why, and what to do. Nothing then has the new name. */
export async function reshardDataDir(options: ReshardOptions): Promise<Resharded> {
  const { shards, onProgress, signal = new AbortController().signal } = options;
  const [from, to] = [resolve(options.from), resolve(options.to)];
  if (!existsSync(join(from, "streams.sqlite"))) {
    throw new Failure(`There are no data of the engine "node" in ${from}.`, "name the data directory: --data-dir DIR");
  }
  requireNoData(to);
  const release = await claimDataDir(from);
  try {
    return await writeUnfinished(to, (unfinished) =>
      reshard({ from, to: unfinished, shards, signal, ...(onProgress && { onProgress }) }),
    );
  } catch (error) {
    throw error instanceof StorageError ? new Failure(error.message, error.fix) : error;
  } finally {
    release();
  }
}
