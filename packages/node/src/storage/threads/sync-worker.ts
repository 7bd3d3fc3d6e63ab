/**
 * The sync thread, which makes the write-ahead log durable. It waits on shared memory for a request, calls `fdatasync`, and
 * answers there. libuv's thread pool could do the same, but behind file reads, DNS and compression.
 */

import { fdatasyncSync } from "node:fs";
import { workerData } from "node:worker_threads";

import { CLOSE, FAILED, REQUESTED, SYNCED, type SyncShare } from "./sync-share.ts";

const { fd, buffer } = workerData as SyncShare;
const cells = new Int32Array(buffer);

for (let done = 0; ;) {
  Atomics.wait(cells, REQUESTED, done);
  const requested = Atomics.load(cells, REQUESTED);
  if (requested === CLOSE) break;
  try {
    fdatasyncSync(fd);
  } catch {
    Atomics.store(cells, FAILED, 1);
  }
  done = requested;
  Atomics.store(cells, SYNCED, done);
  Atomics.notify(cells, SYNCED);
}
