/**
 * Group commit for all objects: one transaction and one sync for everything that is ready. The writes of one turn of the event
 * loop go into one transaction of the shared database. It is committed when the previous sync has returned, and while its own
 * sync runs the next transaction fills. Whatever depends on the durability of a write waits for its `Commit`.
 */

import { Commit } from "./commit.ts";
import { isFailedSync } from "./sqlite-error.ts";

/** The part of the database that the loop drives. */
export interface Committed {
  begin(): void;
  /** @throws if the transaction could not be committed. It has then ended, and nothing of it is stored. */
  commit(): void;
  /** Rolls the transaction back, if it is still open. */
  abandon(): void;
  /** Whether a transaction is open. SQLite rolls a transaction back by itself when a statement finds the disk full. */
  readonly isInTransaction: boolean;
  /** Resolves when everything committed is durable. After a rejection it is unknown what is durable, so the server must end. */
  sync(): Promise<void>;
}

/** What a commit loop reports to the storage that drives it. */
export interface CommitEvents {
  /** The open transaction was rolled back: state in memory that was built on it must be dropped and read again. */
  onLost(error: unknown): void;
  /** A sync has failed, so it is unknown what is durable: the server must end. */
  onFatal(error: unknown): void;
  /** Called after each commit, while no transaction is open. */
  onCommitted(): void;
}

/** The group commit of one shared database. */
export class CommitLoop {
  readonly #database: Committed;
  readonly #events: CommitEvents;
  /** The open transaction. */
  #open: Commit | undefined;
  /** What is being made durable. */
  #syncing: Commit | undefined;
  #isScheduled = false;
  #fault: { readonly error: unknown } | undefined;
  #committed = 0;
  #lostCount = 0;

  constructor(database: Committed, events: CommitEvents) {
    this.#database = database;
    this.#events = events;
  }

  /**
   * Opens a transaction if none is open. Must be called before each write.
   * @returns the commit that the write will be part of.
   */
  write(): Commit {
    // Otherwise the write would be stored at once, alone, whatever becomes of the rest.
    if (this.#open !== undefined && !this.#database.isInTransaction) this.lost(new Error("The transaction has ended."));
    if (this.#fault !== undefined) throw this.#fault.error;
    if (this.#open === undefined) {
      this.#database.begin();
      this.#open = new Commit();
    }
    this.#schedule();
    return this.#open;
  }

  /** The number of transactions committed since the start. */
  get committed(): number {
    return this.#committed;
  }

  /** The number of transactions lost since the start, with everything that was written in them. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Whether a sync has failed: it is then unknown what is durable, and nothing is stored any more. */
  get hasFailed(): boolean {
    return this.#fault !== undefined;
  }

  /**
   * Marks the open transaction as lost: SQLite has rolled it back, or its COMMIT failed. Everyone who waits for its commit is
   * rejected.
   */
  lost(error: unknown): void {
    const commit = this.#open;
    if (commit === undefined) return;
    this.#open = undefined;
    this.#lostCount += 1;
    if (isFailedSync(error)) this.#fail(error);
    try {
      this.#database.abandon();
    } catch (failure) {
      this.#fail(failure);
    }
    // First of all, so that nothing which learns of the loss below meets what was built on it.
    this.#events.onLost(error);
    commit.fail(error);
  }

  /** Resolves when everything written so far is durable or lost. */
  async drain(): Promise<void> {
    for (;;) {
      const commit = this.#open ?? this.#syncing;
      if (commit === undefined) return;
      await commit.settled();
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#syncing !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    while (this.#open !== undefined && this.#syncing === undefined && this.#fault === undefined) {
      const commit = this.#open;
      try {
        this.#database.commit();
      } catch (error) {
        this.lost(error);
        continue;
      }
      this.#open = undefined;
      this.#syncing = commit;
      this.#committed += 1;
      const syncing = this.#database.sync();
      // While the disk works.
      this.#events.onCommitted();
      try {
        await syncing;
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#syncing = undefined;
      commit.succeed();
    }
  }

  #fail(error: unknown): void {
    if (this.#fault !== undefined) return;
    this.#fault = { error };
    const unknown = [this.#syncing, this.#open];
    this.#syncing = this.#open = undefined;
    this.#events.onFatal(error);
    for (const commit of unknown) commit?.fail(error);
  }
}
