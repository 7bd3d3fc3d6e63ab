/**
 * The thread that moves pages from write-ahead logs into databases, on connections of its own. On the main thread this would
 * stall every request while it runs.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort } from "node:worker_threads";

import { isPassing } from "../sqlite-error.ts";
import type { CheckpointAnswer, CheckpointOutcome, CheckpointRequest } from "./checkpoint-thread.ts";

interface Connection {
  readonly sqlite: DatabaseSync;
  readonly checkpoint: StatementSync;
}

const connections = new Map<string, Connection>();

function connect(path: string): Connection {
  const sqlite = new DatabaseSync(path);
  sqlite.exec("PRAGMA busy_timeout = 1000");
  sqlite.exec("PRAGMA synchronous = NORMAL");
  sqlite.exec("PRAGMA wal_autocheckpoint = 0");
  const connection = { sqlite, checkpoint: sqlite.prepare("PRAGMA wal_checkpoint(PASSIVE)") };
  connections.set(path, connection);
  return connection;
}

function run(path: string): CheckpointOutcome {
  const { checkpoint } = connections.get(path) ?? connect(path);
  try {
    // The second takes what was written while the first one worked.
    for (let pass = 0; pass < 2; pass += 1) checkpoint.get();
    return "done";
  } catch (error) {
    // A full disk: what is in the log stays there, and the server serves it from there.
    if (!isPassing(error)) throw error;
    return "failed";
  }
}

parentPort?.on("message", (request: CheckpointRequest) => {
  if (request !== "close") {
    const { path } = request;
    parentPort?.postMessage({ path, outcome: run(path) } satisfies CheckpointAnswer);
    return;
  }
  for (const { sqlite } of connections.values()) sqlite.close();
  parentPort?.close();
});
