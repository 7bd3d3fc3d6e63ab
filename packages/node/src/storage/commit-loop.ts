/**
 * One commit and one sync for everything that is ready, whatever the object. Writes of a turn of the event loop go into one
 * transaction of the shared database; it is committed when the sync before it has returned, and while its own sync runs the
 * next transaction fills. A commit has a number, and what depends on its durability waits for that number.
 */

/** The database, as far as the loop drives it. */
export interface Committed {
  begin(): void;
  /** @throws when the transaction could not be committed; it is over then, and nothing of it is stored. */
  commit(): void;
  /** Ends the transaction without storing it, if it is still open. */
  abandon(): void;
  /** Resolves when everything committed is durable. A failure ends the server. */
  sync(): Promise<void>;
}

export interface CommitEvents {
  /** Nothing of a transaction is stored: what was built on it must be read again. */
  onLost(commit: number, error: unknown): void;
  /** It is not known any more what is durable. */
  onFatal(error: unknown): void;
  /** After each commit, while no transaction is open. */
  onCommitted(): void;
}

interface Waiter {
  readonly commit: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class CommitLoop {
  readonly #database: Committed;
  readonly #events: CommitEvents;
  #waiters: Waiter[] = [];
  /** The commit that a write would be part of now. */
  #current = 1;
  #durable = 0;
  #isOpen = false;
  #isScheduled = false;
  #isSyncing = false;
  #fault: { readonly error: unknown } | undefined;
  #committed = 0;
  #lostCount = 0;

  constructor(database: Committed, events: CommitEvents) {
    this.#database = database;
    this.#events = events;
  }

  /** Before each write. @returns the number of the commit that it will be part of. */
  write(): number {
    if (this.#fault !== undefined) throw this.#fault.error;
    if (!this.#isOpen) {
      this.#database.begin();
      this.#isOpen = true;
    }
    this.#schedule();
    return this.#current;
  }

  /** How many transactions were committed since the start. */
  get committed(): number {
    return this.#committed;
  }

  /** How many were not, with all that was in them. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Whether it is unknown what is durable: nothing is stored any more. */
  get hasFailed(): boolean {
    return this.#fault !== undefined;
  }

  isDurable(commit: number): boolean {
    return commit <= this.#durable;
  }

  /** Resolves when a commit is durable. @throws what it failed with. */
  durable(commit: number): Promise<void> {
    if (this.isDurable(commit)) return Promise.resolve();
    if (this.#fault !== undefined) return Promise.reject(this.#fault.error);
    return new Promise((resolve, reject) => this.#waiters.push({ commit, resolve, reject }));
  }

  /** SQLite has undone the open transaction by itself, as it does when the disk is full. */
  lost(error: unknown): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#lostCount += 1;
    this.#database.abandon();
    const commit = this.#current;
    // Nothing of it is stored, so nothing of it needs to become durable; it has a number of its own all the same.
    this.#current += 1;
    const lost = this.#waiters.filter((waiter) => waiter.commit === commit);
    this.#waiters = this.#waiters.filter((waiter) => waiter.commit !== commit);
    this.#events.onLost(commit, error);
    for (const { reject } of lost) reject(error);
    if (!this.#isSyncing) this.#settle();
  }

  /** Resolves when everything written so far is durable, or lost. */
  async drain(): Promise<void> {
    while (this.#isOpen || this.#isSyncing) {
      await this.durable(this.#isOpen ? this.#current : this.#current - 1).catch(() => undefined);
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isSyncing) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    while (this.#isOpen && !this.#isSyncing && this.#fault === undefined) {
      try {
        this.#database.commit();
      } catch (error) {
        this.lost(error);
        continue;
      }
      this.#isOpen = false;
      this.#current += 1;
      this.#committed += 1;
      this.#isSyncing = true;
      this.#events.onCommitted();
      try {
        await this.#database.sync();
      } catch (error) {
        this.#fail(error);
        return;
      } finally {
        this.#isSyncing = false;
      }
      this.#settle();
    }
  }

  /** Each commit before the current one is durable, or lost. */
  #settle(): void {
    const commit = this.#current - 1;
    this.#durable = commit;
    const settled = this.#waiters.filter((waiter) => waiter.commit <= commit);
    this.#waiters = this.#waiters.filter((waiter) => waiter.commit > commit);
    for (const { resolve } of settled) resolve();
  }

  #fail(error: unknown): void {
    this.#fault = { error };
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
    this.#events.onFatal(error);
  }
}
