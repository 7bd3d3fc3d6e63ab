/** One database of a server, with its commit loop, checkpoints and alarms. */

import { closeSync, fdatasyncSync, openSync } from "node:fs";

import type { Schema } from "@durable-streams-cloudflare/core/kit/sql/schema";
import type { Histogram } from "@durable-streams-cloudflare/http/metrics/histogram";

import { Alarms, type DueObject } from "./alarms.ts";
import { CommitLoop } from "./commit-loop.ts";
import { DURABLE, type Commit } from "./commit.ts";
import type { Place } from "./modes/layout.ts";
import { TRAITS, type StorageMode } from "./modes/options.ts";
import { Turns } from "./modes/turns.ts";
import { SharedDatabase } from "./shared-database.ts";
import { isPassing } from "./sqlite-error.ts";
import type { CheckpointThread } from "./threads/checkpoint-thread.ts";
import { Checkpointer } from "./threads/checkpointer.ts";
import { SyncThread } from "./threads/sync-thread.ts";
import { WriteLostError } from "./write-lost-error.ts";

export interface StoreOptions {
  readonly mode: StorageMode;
  /** The path of the database; by default it is in memory. */
  readonly path?: string;
  /** Which of the server's databases it is. */
  readonly place?: Place;
  /** The tables of modules' objects. */
  readonly moduleSchemas?: readonly Schema[] | undefined;
  /** Makes its checkpoints, if it has a write-ahead log. */
  readonly checkpoints?: CheckpointThread | undefined;
  /** Is told how long the disk took to make commits durable, in the mode that waits for it afterwards. */
  readonly syncs?: Histogram | undefined;
  readonly fire: (due: DueObject) => Promise<void>;
  /** The server cannot continue: a sync has failed, so it is unknown what is durable. */
  readonly onFatal: (error: unknown) => void;
  /** Is told of errors that nobody else hears of. */
  readonly report?: ((message: string, error: unknown) => void) | undefined;
}

/** A writer. Its `lose` is called when something that it has written is lost, so that it drops its state. */
export interface Writer {
  lose(): void;
}

export class Store {
  readonly database: SharedDatabase;
  readonly commits: CommitLoop;
  readonly alarms: Alarms;
  /** Keeps the write-ahead log short; `undefined` in modes without one. */
  readonly checkpointer: Checkpointer | undefined;
  /** By which commits are shared in the mode in which nothing waits for a disk. */
  readonly turns: Turns | undefined;
  readonly #thread: SyncThread | undefined;
  readonly #isOnDisk: boolean;
  /** Everything that was acknowledged is durable, and nothing more will be. */
  #isDrained = false;
  /** Who has written in the open transaction. */
  #writers = new Set<Writer>();

  /** @throws Error if the database cannot be opened. Nothing is then left open. */
  constructor(options: StoreOptions) {
    const { mode, path = ":memory:", place, moduleSchemas, checkpoints, syncs, fire, onFatal, report } = options;
    const traits = TRAITS[mode];
    this.#isOnDisk = traits.isOnDisk;
    this.turns = traits.isOnDisk ? undefined : new Turns();
    let thread: SyncThread | undefined;
    this.database = new SharedDatabase({
      path,
      isFull: traits.syncs === "commit",
      ...(place === undefined ? {} : { place }),
      moduleSchemas,
      sync: async () => {
        if (thread === undefined) return;
        const startedAtMs = performance.now();
        await thread.sync();
        syncs?.observe((performance.now() - startedAtMs) / 1000);
      },
    });
    try {
      // The log exists from the first transaction on.
      if (traits.syncs === "thread") thread = new SyncThread(`${path}-wal`);
      // What a server that was killed had committed is read from now on, so it must be durable.
      if (traits.syncs === "commit") syncFile(`${path}-wal`);
    } catch (error) {
      this.database.close();
      throw error;
    }
    this.#thread = thread;
    this.checkpointer = checkpoints && new Checkpointer(this.database, path, checkpoints, onFatal);
    this.commits = new CommitLoop(this.database, {
      onLost: () => {
        this.#endWriters();
        // Alarms whose deletion was lost are back.
        this.alarms.lookAgain();
      },
      // What is written after the end is not acknowledged, so its sync may fail with the thread that has ended.
      onFatal: (error) => {
        if (!this.#isDrained) onFatal(error);
      },
      onCommitted: () => {
        this.#writers = new Set();
        this.checkpointer?.committed();
      },
    });
    this.alarms = new Alarms(this.database, {
      fire,
      strike: (id) => void this.run(NOBODY, "DELETE FROM alarms WHERE o = ?", id),
      onUnreadable: (error) => report?.("The alarms could not be read. This is tried again.", error),
    });
  }

  /**
   * Registers a write. Must be called before each write.
   * @returns the commit that the write will be part of.
   */
  write(writer: Writer): Commit {
    // Without a transaction around those of the objects, each of them is committed when it ends.
    if (!this.#isOnDisk) return DURABLE;
    const commit = this.commits.write();
    this.#writers.add(writer);
    return commit;
  }

  /**
   * Runs a writing statement on the host's own tables.
   * @returns the commit that the write is part of.
   */
  run(writer: Writer, text: string, ...params: readonly (string | number)[]): Commit {
    const commit = this.write(writer);
    this.guarded(() => this.database.text(text).run(...params));
    return commit;
  }

  /**
   * Runs `work`, which executes statements. All statements must be executed in here: after a failure, such as a full disk,
   * SQLite may have rolled back the whole transaction, with the writes of all objects. The state of every object that has
   * written is then dropped.
   */
  guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!this.database.isInTransaction) this.commits.lost(error);
      // In memory only the object's own write is undone, and it may succeed when there is space again.
      throw !this.#isOnDisk && isPassing(error) ? new WriteLostError(error) : error;
    }
  }

  /** Stops the alarms, and resolves when everything written is durable. */
  async drain(): Promise<void> {
    this.alarms.stop();
    await this.commits.drain();
  }

  /** Closes the database without waiting. Only for use instead of `close` when nothing was written. */
  abandon(): void {
    this.alarms.stop();
    void this.#thread?.close();
    this.database.close();
  }

  /** Makes everything durable, and closes the database. Its checkpoints must have ended. */
  async close(): Promise<void> {
    await this.drain();
    this.#isDrained = true;
    await this.#thread?.close();
    this.database.close();
  }

  /** What they hold in memory is ahead of what is stored. */
  #endWriters(): void {
    const writers = this.#writers;
    this.#writers = new Set();
    for (const writer of writers) writer.lose();
  }
}

/** The writer of rows that no object has in memory. */
export const NOBODY: Writer = { lose: () => undefined };

/** Never of the database itself: closing a descriptor of that drops SQLite's own locks. */
function syncFile(path: string): void {
  const fd = openSync(path, "r+");
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
