/**
 * Writes a data directory of this host from objects that are stored elsewhere. Nothing in it is durable before `finish`, so the
 * caller gives the directory its name only after that.
 */

import { closeSync, fsyncSync, openSync } from "node:fs";
import { join, resolve } from "node:path";

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";

import { makeDirectory, syncDirectory } from "../folders.ts";
import { shardPath } from "../modes/layout.ts";
import { folderSegments } from "../segments/folder-segments.ts";
import { namedSegments } from "../segments/named-segments.ts";
import { SharedDatabase } from "../shared-database.ts";
import { StorageError } from "../storage-error.ts";
import { copyObject, type SourceObject } from "./copy-object.ts";

export class NewDirectory {
  /** Its cold segments. */
  readonly segments: SegmentStore;
  readonly #path: string;
  readonly #database: SharedDatabase;

  /** @param path of the directory, which is created if it is missing. It must hold no data. */
  constructor(path: string) {
    this.#path = resolve(path);
    makeDirectory(this.#path);
    this.segments = folderSegments(join(this.#path, "segments"));
    this.#database = new SharedDatabase({ path: this.#file, isFull: false, sync: async () => undefined });
    // Until it is finished the directory is worth nothing, so nothing of it needs a journal.
    for (const pragma of ["journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF"]) {
      this.#database.sqlite.exec(`PRAGMA ${pragma}`);
    }
  }

  /**
   * Copies an object, and compares the copy with the original.
   * @returns whether there was anything to copy: an object without tables stores nothing.
   * @throws StorageError if the copy would not be complete.
   */
  copy(source: SourceObject): boolean {
    return copyObject(this.#database.sqlite, source);
  }

  /** Adds a record to the registry of projects. */
  addRecord(key: string, value: string): void {
    this.#database.text("INSERT INTO registry (key, value) VALUES (?, ?)").run(key, value);
  }

  /**
   * Checks the whole directory, makes it durable and closes it.
   * @throws StorageError if a cold segment is missing, or SQLite finds the database damaged.
   */
  async finish(): Promise<void> {
    await this.#checkSegments();
    const found = this.#database.sqlite.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
    if (found !== "ok") {
      throw new StorageError(`The new database is damaged: ${String(found)}`, {
        fix: "check the disk, and run the command again",
      });
    }
    this.close();
    const fd = openSync(this.#file, "r+");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    syncDirectory(this.#path);
  }

  /** Closes the database if it is still open. */
  close(): void {
    if (this.#database.sqlite.isOpen) this.#database.close();
  }

  get #file(): string {
    return shardPath(this.#path, 0);
  }

  /** Each row stands for bytes that are nowhere else. */
  async #checkSegments(): Promise<void> {
    for (const key of namedSegments(this.#database.sqlite)) {
      const file = await this.segments.open?.(key);
      if (file === undefined) {
        throw new StorageError(`The cold segment ${key} is missing.`, {
          fix: "restore a backup of the data directory, and take that over",
        });
      }
      await file.close();
    }
  }
}
