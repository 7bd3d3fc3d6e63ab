/**
 * A power cut on a model of the disk: what the files held at their last sync is there, and of what was written since, each
 * sector is kept or lost at random. SQLite's own syncs are taken from the order in which it makes them: a checkpoint syncs the
 * log before it writes pages, and the database after it; the first commit into a log that begins anew syncs the log's header.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { StorageMode } from "../storage/modes/options.ts";
import { SharedDatabase } from "../storage/shared-database.ts";

const SECTOR_BYTES = 512;
const LOG_HEADER_BYTES = 32;
const STEPS_MAX = 40;
const ROWS_MAX = 4;

/** The result of one simulated power cut. */
export interface PowerLoss {
  /** What is wrong after the restart, in words; empty if nothing is. */
  readonly faults: readonly string[];
  /** The commits that were acknowledged and are gone. */
  readonly lost: readonly number[];
  readonly acknowledged: number;
  readonly checkpoints: number;
}

type Random = (below: number) => number;

/**
 * When the disk is synced. `acid`: in COMMIT. `file-durable`: after COMMIT and before the acknowledgement. `file-fast`: only
 * around checkpoints, as SQLite does it. `never`: not even then, so that runs must find faults.
 */
export type Syncs = Exclude<StorageMode, "memory"> | "never";

/** Runs a database on the model disk, cuts the power and checks what a restart finds. */
export function losePower(seed: number, syncs: Syncs = "file-durable"): PowerLoss {
  const root = mkdtempSync(join(tmpdir(), "power-loss-"));
  try {
    const disk = new ModelDisk(root, randomOf(seed), syncs);
    const { acknowledged, checkpoints, rowsOf } = disk.run();
    return { ...checked(disk.cut(), acknowledged, rowsOf), acknowledged, checkpoints };
  } finally {
    rmSync(root, { recursive: true });
  }
}

class ModelDisk {
  readonly #root: string;
  readonly #random: Random;
  readonly #path: string;
  readonly #database: SharedDatabase;
  readonly #syncs: Syncs;
  /** The connection of the checkpoint thread. */
  readonly #beside: DatabaseSync;
  #durable: { database: Buffer; log: Buffer };

  constructor(root: string, random: Random, syncs: Syncs) {
    this.#syncs = syncs;
    this.#root = root;
    this.#random = random;
    this.#path = join(root, "streams.sqlite");
    this.#database = new SharedDatabase({
      path: this.#path,
      isFull: syncs === "acid",
      sync: async () => undefined,
    });
    this.#beside = new DatabaseSync(this.#path);
    this.#beside.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
    const log = this.#read("-wal");
    this.#durable = { database: this.#read(""), log: this.#syncsCommits ? log : log.subarray(0, LOG_HEADER_BYTES) };
  }

  /** Commits, some of which are acknowledged, and checkpoints, up to the cut. */
  run(): { acknowledged: number; checkpoints: number; rowsOf: ReadonlyMap<number, number> } {
    const random = this.#random;
    const rowsOf = new Map<number, number>();
    let acknowledged = 0;
    let checkpoints = 0;
    let isLogDone = false;
    for (let commit = 1, last = 1 + random(STEPS_MAX); commit <= last; commit += 1) {
      // A checkpoint of the other connection begins in the middle of the transaction, and syncs the database after it.
      const isBeside = random(4) === 0;
      rowsOf.set(commit, this.#commit(commit, isBeside ? () => this.#moveBeside() : undefined));
      if (isLogDone) this.#read("-wal").copy(this.#durable.log, 0, 0, LOG_HEADER_BYTES);
      isLogDone = false;
      if (commit < last || random(2) === 0) {
        if (this.#syncsCommits) this.#durable.log = this.#read("-wal");
        acknowledged = commit;
      }
      if (isBeside) {
        checkpoints += 1;
        if (commit === last && random(2) === 0) break;
        this.#durable.database = this.#read("");
        isLogDone = true;
      }
      if (random(4) > 0) continue;
      checkpoints += 1;
      if (this.#syncs !== "never") this.#durable.log = this.#read("-wal");
      this.#database.text("PRAGMA wal_checkpoint(PASSIVE)").get();
      // The cut may come between the pages and their sync.
      if (commit === last && random(2) === 0) break;
      this.#durable.database = this.#read("");
      isLogDone = true;
    }
    return { acknowledged, checkpoints, rowsOf };
  }

  /** Before it moves pages, SQLite syncs the log. */
  #moveBeside(): void {
    if (this.#syncs !== "never") this.#durable.log = this.#read("-wal");
    this.#beside.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
  }

  get #syncsCommits(): boolean {
    return this.#syncs === "file-durable" || this.#syncs === "acid";
  }

  /** @returns where the files are that are found afterwards. */
  cut(): string {
    const database = this.#torn(this.#durable.database, this.#read(""));
    const log = this.#torn(this.#durable.log, this.#read("-wal"));
    this.#beside.close();
    this.#database.close();
    const found = join(this.#root, "found");
    mkdirSync(found);
    writeFileSync(join(found, "streams.sqlite"), database);
    writeFileSync(join(found, "streams.sqlite-wal"), log);
    return join(found, "streams.sqlite");
  }

  /** With savepoints that are rolled back, as those of objects that fail. @returns its rows. */
  #commit(commit: number, during?: () => void): number {
    const database = this.#database;
    const rows = 1 + this.#random(ROWS_MAX);
    const insert = database.text("INSERT INTO registry (key, value) VALUES (?, ?)");
    database.begin();
    for (let row = 0; row < rows; row += 1) insert.run(`${commit}.${row}`, "v".repeat(this.#random(9_000)));
    during?.();
    database.text("SAVEPOINT s0").run();
    insert.run(`${commit}.undone`, "u".repeat(this.#random(9_000)));
    database.text("ROLLBACK TO s0").run();
    database.text("RELEASE s0").run();
    database.commit();
    return rows;
  }

  #torn(durable: Buffer, current: Buffer): Buffer {
    const random = this.#random;
    const grown = Math.max(0, current.length - durable.length);
    const torn = Buffer.alloc(durable.length + random(grown + 1));
    durable.copy(torn);
    for (let at = 0; at < torn.length; at += SECTOR_BYTES) {
      if (random(2) === 0) current.copy(torn, at, at, Math.min(at + SECTOR_BYTES, torn.length, current.length));
    }
    return torn;
  }

  #read(suffix: string): Buffer {
    const path = this.#path + suffix;
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  }
}

/** What is acknowledged is there; anything else is whole or absent, and nothing is there without all that was before it. */
function checked(
  path: string,
  acknowledged: number,
  rowsOf: ReadonlyMap<number, number>,
): Pick<PowerLoss, "faults" | "lost"> {
  const lost: number[] = [];
  let database: SharedDatabase | undefined;
  try {
    database = new SharedDatabase({ path, isFull: false, sync: async () => undefined });
    const faults: string[] = [];
    const check = database.text("PRAGMA integrity_check").get();
    if (check?.["integrity_check"] !== "ok") faults.push("the database is malformed");
    const keys = new Set(
      database
        .text("SELECT key FROM registry")
        .all()
        .map((row) => String(row["key"])),
    );
    let isEnded = false;
    for (const [commit, rows] of rowsOf) {
      const there = Array.from({ length: rows }, (_, row) => keys.delete(`${commit}.${row}`)).filter(Boolean).length;
      if (there !== 0 && there !== rows) faults.push(`commit ${commit} is there in part`);
      if (there === 0) isEnded = true;
      else if (isEnded) faults.push(`commit ${commit} is there without one before it`);
      if (there === 0 && commit <= acknowledged) lost.push(commit);
    }
    if (keys.size > 0) faults.push("something is there that was undone");
    return { faults, lost };
  } catch (error) {
    return { faults: [`the database cannot be opened: ${String(error)}`], lost };
  } finally {
    database?.close();
  }
}

/** Numbers below a bound, the same for the same seed. */
function randomOf(seed: number): Random {
  let state = Math.imul(seed, 2_654_435_761) >>> 0;
  return (below) => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
