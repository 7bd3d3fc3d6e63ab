/**
 * The thread that moves pages from the write-ahead log into the database, on its own connection. On the main thread this would
 * stall every request while it runs.
 */

import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

import { isPassing } from "./sqlite-error.ts";

const { path } = workerData as { readonly path: string };
const sqlite = new DatabaseSync(path);
sqlite.exec("PRAGMA busy_timeout = 1000");
sqlite.exec("PRAGMA synchronous = NORMAL");
sqlite.exec("PRAGMA wal_autocheckpoint = 0");
const checkpoint = sqlite.prepare("PRAGMA wal_checkpoint(PASSIVE)");

parentPort?.on("message", (message: "checkpoint" | "close") => {
  if (message === "close") {
    sqlite.close();
    parentPort?.close();
    return;
  }
  try {
    // The second takes what was written while the first one worked.
    for (let pass = 0; pass < 2; pass += 1) checkpoint.get();
    parentPort?.postMessage("done");
  } catch (error) {
    // A full disk: what is in the log stays there, and the server serves it from there.
    if (!isPassing(error)) throw error;
    parentPort?.postMessage("failed");
  }
});
