import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { SharedDatabase } from "../shared-database.ts";
import { CheckpointThread } from "./checkpoint-thread.ts";
import { Checkpointer } from "./checkpointer.ts";

let root: string;
let path: string;
let database: SharedDatabase;
let errors: unknown[];
let thread: CheckpointThread;
let checkpointer: Checkpointer;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "checkpointer-"));
  path = join(root, "streams.sqlite");
  database = new SharedDatabase({ path, isFull: false, sync: async () => undefined });
  errors = [];
  const onError = (error: unknown): void => void errors.push(error);
  thread = new CheckpointThread(onError);
  checkpointer = new Checkpointer(database, path, thread, onError);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await thread.close();
  database.close();
  rmSync(root, { recursive: true });
});

function failOnce(errcode: number): void {
  vi.spyOn(database, "text").mockImplementationOnce(() => {
    throw Object.assign(new Error("disk I/O error"), { errcode });
  });
}

it("[SM8] a checkpoint whose sync failed ends the server; one that found the disk full does not", () => {
  failOnce(13);
  checkpointer.committed();
  expect(errors).toEqual([]);
  const other = new Checkpointer(database, path, thread, (error) => void errors.push(error));
  failOnce(1_034);
  other.committed();
  expect(errors.map(String)).toEqual(["Error: disk I/O error"]);
});

it("a log that has grown is moved into the database by the thread, and begins anew", async () => {
  const insert = database.text("INSERT INTO registry (key, value) VALUES (?, ?)");
  for (let row = 0; row < 12; row += 1) insert.run(String(row), "v".repeat(1_000_000));
  checkpointer.committed();
  expect(checkpointer.pendingPages).toBeGreaterThan(2_048);
  // The main connection moves the last pages when the thread has done its part.
  await vi.waitFor(
    () => {
      checkpointer.committed();
      expect(checkpointer.pendingPages).toBe(0);
    },
    { timeout: 10_000 },
  );
  expect(errors).toEqual([]);
});
