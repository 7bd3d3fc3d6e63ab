/** The storage of one server: composes the shared database, its commit loop, checkpoints and alarms. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { Histogram } from "@durable-streams-cloudflare/http/metrics/histogram";

import { Alarms, type DueObject } from "./alarms.ts";
import { Checkpointer } from "./checkpointer.ts";
import { CommitLoop } from "./commit-loop.ts";
import type { Commit } from "./commit.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { SharedDatabase } from "./shared-database.ts";
import { SyncThread } from "./sync-thread.ts";

/**
 * What an acknowledgement promises. `memory`: nothing outlives the process. `file-fast`: it survives the end of the process,
 * but not a power cut. `file-durable`: it survives a power cut.
 */
export type StorageMode = "memory" | "file-fast" | "file-durable";

export interface StoreOptions {
  readonly mode: StorageMode;
  /** Of the modes with files. It is made if it is not there, readable for its owner only. */
  readonly dataDir?: string;
  readonly fire: (due: DueObject) => Promise<void>;
  /** The server cannot go on: it is not known any more what is durable. */
  readonly onFatal: (error: unknown) => void;
}

/** Who writes: told when what it has written is lost. */
export interface Writer {
  end(): void;
}

/** From a fast disk to one that is about to fail. */
const SYNC_BOUNDS_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export class Store {
  readonly database: SharedDatabase;
  readonly commits: CommitLoop;
  readonly alarms: Alarms;
  readonly #lock: DirectoryLock | undefined;
  /** Of the modes that have a log. */
  readonly checkpointer: Checkpointer | undefined;
  /** How long the disk took to make commits durable, in the mode that waits for it. */
  readonly syncs: Histogram | undefined;
  readonly #thread: SyncThread | undefined;
  /** Who has written in the open transaction. */
  #writers = new Set<Writer>();

  constructor({ mode, dataDir, fire, onFatal }: StoreOptions) {
    const path = mode === "memory" ? ":memory:" : databasePathIn(dataDir);
    this.#lock = mode === "memory" ? undefined : new DirectoryLock(`${path}-lock`);
    let thread: SyncThread | undefined;
    const syncs = (this.syncs = mode === "file-durable" ? new Histogram(SYNC_BOUNDS_SECONDS) : undefined);
    this.database = new SharedDatabase({
      path,
      isFull: false,
      sync: async () => {
        const startedAtMs = performance.now();
        await thread?.sync();
        syncs?.observe((performance.now() - startedAtMs) / 1000);
      },
    });
    // The log exists from the first transaction on.
    thread = this.#thread = mode === "file-durable" ? new SyncThread(`${path}-wal`) : undefined;
    this.checkpointer = mode === "memory" ? undefined : new Checkpointer(this.database, path, onFatal);
    this.commits = new CommitLoop(this.database, {
      onLost: () => {
        this.#endWriters();
        // Alarms whose deletion was lost are back.
        this.alarms.lookAgain();
      },
      onFatal,
      onCommitted: () => {
        this.#writers = new Set();
        this.checkpointer?.committed();
      },
    });
    this.alarms = new Alarms(this.database, {
      fire,
      strike: (id) => void this.run(NOBODY, "DELETE FROM alarms WHERE o = ?", id),
    });
  }

  /** Before each write. @returns the commit that it will be part of. */
  write(writer: Writer): Commit {
    const commit = this.commits.write();
    this.#writers.add(writer);
    return commit;
  }

  /** Writes with a statement about the host's own tables. @returns the commit that it is part of. */
  run(writer: Writer, text: string, ...params: readonly (string | number)[]): Commit {
    const commit = this.write(writer);
    this.guarded(() => this.database.text(text).run(...params));
    return commit;
  }

  /**
   * Everything that runs statements does so in here. After a failure SQLite may have undone the whole transaction, of all
   * objects, as it does when the disk is full: then nothing of it may be built on any more.
   */
  guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!this.database.isInTransaction) this.commits.lost(error);
      throw error;
    }
  }

  /** Everything that was written is durable afterwards. */
  async close(): Promise<void> {
    this.alarms.stop();
    await this.commits.drain();
    await this.checkpointer?.close();
    await this.#thread?.close();
    this.database.close();
    this.#lock?.close();
  }

  /** What they hold in memory is ahead of what is stored. */
  #endWriters(): void {
    const writers = this.#writers;
    this.#writers = new Set();
    for (const writer of writers) writer.end();
  }
}

/** Writes what no object has in memory. */
export const NOBODY: Writer = { end: () => undefined };

function databasePathIn(dataDir: string | undefined): string {
  if (dataDir === undefined) throw new Error("A data directory is needed where something is stored on disk.");
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return join(dataDir, "streams.sqlite");
}
