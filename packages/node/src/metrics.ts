/** The server's metrics for Prometheus. Metrics that the engine `workerd` also has have the same names there. */

import { metric } from "@durable-streams-cloudflare/http/metrics/prometheus";
import type { RequestCounts } from "@durable-streams-cloudflare/http/metrics/request-counts";

import type { ObjectHost } from "./objects/object-host.ts";
import type { Storage } from "./storage/storage.ts";

/** The parts of the server that have metrics. */
export interface Measured {
  readonly counts: RequestCounts;
  readonly liveReads: number;
  readonly storage: Storage;
  readonly objects: ObjectHost;
}

/** Formats all metrics in Prometheus's text format. */
export function formatMetrics({ counts, liveReads, storage, objects }: Measured): string {
  const { syncs } = storage;
  const committed = storage.sum(({ commits }) => commits.committed);
  const lost = storage.sum(({ commits }) => commits.lostCount);
  const hasLog = storage.stores.some(({ checkpointer }) => checkpointer !== undefined);
  const pending = storage.sum(({ checkpointer }) => checkpointer?.pendingPages ?? 0);
  const loaded = [...objects.loaded()].map(([kind, count]) => `{kind="${kind}"} ${count}`);
  return [
    counts.format(liveReads),
    metric("durable_streams_commits_total", "counter", "Number of committed transactions.", [` ${committed}`]),
    metric("durable_streams_commits_lost_total", "counter", "Number of transactions that could not be stored.", [
      ` ${lost}`,
    ]),
    metric(
      "durable_streams_sync_duration_seconds",
      "histogram",
      "Time that the disk took to make a commit durable, in seconds.",
      syncs?.values() ?? [],
    ),
    metric(
      "durable_streams_wal_pages",
      "gauge",
      "Pages in the write-ahead log that were not in the database at the last commit.",
      hasLog ? [` ${pending}`] : [],
    ),
    metric("durable_streams_objects_loaded", "gauge", "Number of objects in memory.", loaded),
    metric("durable_streams_alarms_due", "gauge", "Number of alarms whose time has come and that are not done yet.", [
      ` ${storage.sum(({ alarms }) => alarms.countDue(Date.now()))}`,
    ]),
  ].join("");
}
