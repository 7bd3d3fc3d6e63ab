/** The storage of one server, as its mode has it: its databases, its cold segments, and its limits. */

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { Histogram } from "@durable-streams-cloudflare/http/metrics/histogram";

import type { DirectoryLock } from "./directory-lock.ts";
import { shardOf } from "./modes/layout.ts";
import type { MemoryLimit } from "./modes/memory-limit.ts";
import type { Recovery } from "./recovery.ts";
import type { SegmentBucket } from "./segments/s3/segment-bucket.ts";
import type { Store } from "./store.ts";
import type { CheckpointThread } from "./threads/checkpoint-thread.ts";
import type { WalFile } from "./threads/wal-file.ts";

export class Storage {
  readonly stores: readonly Store[];
  readonly segments: SegmentStore;
  /** The limit of the mode `memory`; `undefined` in other modes. */
  readonly memory: MemoryLimit | undefined;
  /** How long the disk took to make commits durable, in the mode that waits for it afterwards. */
  readonly syncs: Histogram | undefined;
  /** What the last server on this directory had left undone. */
  readonly recovery: Recovery | undefined;
  /** The bucket of cold segments; `undefined` where they are on this machine. */
  readonly bucket: SegmentBucket | undefined;
  /** When the last server on this directory wrote to it for the last time, in ms since 1970; 0 if there was none. */
  readonly lastWrittenMs: number;
  readonly #parts: OpenParts;

  constructor(
    parts: OpenParts,
    segments: SegmentStore,
    {
      memory,
      syncs,
      recovery,
      bucket,
      lastWrittenMs = 0,
    }: Partial<Pick<Storage, "memory" | "syncs" | "recovery" | "bucket" | "lastWrittenMs">>,
  ) {
    this.#parts = parts;
    this.stores = parts.stores.toReversed();
    this.segments = segments;
    this.memory = memory;
    this.syncs = syncs;
    this.recovery = recovery;
    this.bucket = bucket;
    this.lastWrittenMs = lastWrittenMs;
  }

  /** The database that has the tables of the whole server. */
  get first(): Store {
    const [first] = this.stores;
    if (first === undefined) throw new Error("A storage has at least one database.");
    return first;
  }

  /** The database that an object is assigned to. */
  storeOf(kind: string, name: string): Store {
    return this.stores[shardOf(kind, name, this.stores.length)] ?? this.first;
  }

  /** Whether a sync has failed: it is then unknown what is durable, and nothing is stored any more. */
  get hasFailed(): boolean {
    return this.stores.some(({ commits }) => commits.hasFailed);
  }

  /** Adds up a number over all databases. */
  sum(valueOf: (store: Store) => number): number {
    return this.stores.reduce((sum, store) => sum + valueOf(store), 0);
  }

  /** Starts firing alarms. */
  start(): void {
    for (const { alarms } of this.stores) alarms.start();
  }

  /** Makes everything durable, and closes the databases. */
  close(): Promise<void> {
    return this.#parts.close();
  }
}

/** The opened parts of a storage, which are closed together. */
export class OpenParts {
  readonly stores: Store[] = [];
  lock: DirectoryLock | undefined;
  checkpoints: CheckpointThread | undefined;
  wal: WalFile | undefined;

  /** Closes everything without waiting. Only if nothing was written. */
  abandon(): void {
    for (const store of this.stores) store.abandon();
    void this.checkpoints?.close();
    this.lock?.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.stores.map((store) => store.drain()));
    await this.checkpoints?.close();
    // From here on SQLite may remove the logs.
    this.lock?.mark(false);
    await Promise.all(this.stores.map((store) => store.close()));
    await this.wal?.close();
    this.lock?.close();
  }
}
