/** The server's metrics. Those that the engine `workerd` also has have the same names there. */

import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { single, type Metric } from "@durable-streams-cloudflare/http/metrics/metric";
import type { RequestCounts } from "@durable-streams-cloudflare/http/metrics/request-counts";

import type { ServedModules } from "./objects/module-objects.ts";
import type { ObjectHost } from "./objects/object-host.ts";
import type { Storage } from "./storage/storage.ts";

/** The parts of the server that have metrics. */
export interface Measured {
  readonly counts: RequestCounts;
  readonly liveReads: number;
  readonly storage: Storage;
  readonly objects: ObjectHost;
  readonly modules: Pick<ServedModules, "metrics">;
}

/** What the server itself measures, without what the system says about its process and its disk. */
export function collectMetrics({ counts, liveReads, storage, objects, modules }: Measured): readonly Metric[] {
  const { syncs } = storage;
  const hasLog = storage.stores.some(({ checkpointer }) => checkpointer !== undefined);
  const pending = storage.sum(({ checkpointer }) => checkpointer?.pendingPages ?? 0);
  return [
    ...counts.metrics(liveReads),
    single(
      "counter",
      "durable_streams_commits_total",
      "Number of committed transactions.",
      storage.sum(({ commits }) => commits.committed),
    ),
    single(
      "counter",
      "durable_streams_commits_lost_total",
      "Number of transactions that could not be stored.",
      storage.sum(({ commits }) => commits.lostCount),
    ),
    {
      type: "histogram",
      name: "durable_streams_sync_duration_seconds",
      help: "Time that the disk took to make a commit durable, in seconds.",
      points: syncs === undefined ? [] : [syncs.point()],
    },
    single(
      "gauge",
      "durable_streams_wal_pages",
      "Pages in the write-ahead log that were not in the database at the last commit.",
      hasLog ? pending : undefined,
    ),
    {
      type: "gauge",
      name: "durable_streams_objects_loaded",
      help: "Number of objects in memory.",
      points: [...objects.loaded()].map(([kind, value]) => ({ labels: { kind }, value })),
    },
    single(
      "gauge",
      "durable_streams_alarms_due",
      "Number of alarms whose time has come and that are not done yet.",
      storage.sum(({ alarms }) => alarms.countDue(wallMs())),
    ),
    ...modules.metrics(objects.openSockets),
  ];
}
