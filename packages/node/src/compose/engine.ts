/** The server without a way in: storage, objects, the edge and metrics. A listener or a handler passes requests to it. */

import { join } from "node:path";

import { parseConfig, type Config } from "@durable-streams-cloudflare/core/config";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import type { StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";
import { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import { RequestCounts } from "@durable-streams-cloudflare/http/metrics/request-counts";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";

import { formatMetrics } from "../metrics.ts";
import { ObjectHost } from "../objects/object-host.ts";
import { folderSegments } from "../storage/folder-segments.ts";
import { registryIn } from "../storage/registry-rows.ts";
import { storageStatus } from "../storage/storage-status.ts";
import { Store, type StorageMode } from "../storage/store.ts";
import { composeEdge } from "./edge.ts";

/** Where the data is kept, and what an acknowledgement promises. */
export interface StorageOptions {
  readonly mode: StorageMode;
  /** Required by every mode that keeps files; created if it does not exist. */
  readonly dataDir?: string;
  /** Reports whether the disk can store more. Without it the server finds out when a write fails. */
  readonly status?: StorageStatus;
}

/** What a server and a handler have in common. */
export interface EngineOptions {
  readonly storage: StorageOptions;
  /** The settings of `docs/configuration.md`, by name. */
  readonly settings?: Readonly<Record<string, string | undefined>>;
}

/** What the engine tells its owner. */
export interface EngineEvents {
  /** The engine cannot continue: nobody knows any more what is durable. */
  onFatal(error: unknown, config: Config): void;
}

/** An engine that is running. */
export interface Engine {
  readonly config: Config;
  /** Starts the alarms: from now on the engine works by itself. */
  start(): void;
  /** Answers a request. The host sends `COMMON_HEADERS` as well. */
  answer(request: HttpRequest): Promise<Answer>;
  /** Ends live reads between two events; those that begin later end as soon as the protocol permits. */
  endLiveReads(): void;
  /** The metrics in the text format of Prometheus. */
  metrics(): string;
  /** Makes everything durable and releases the data directory. Call it when no request is in flight. */
  close(): Promise<void>;
}

/**
 * Opens the data directory.
 * @throws ConfigError when a setting is out of its bounds.
 * @throws Error when the data directory cannot be used, or another server uses it.
 */
export function openEngine({ storage, settings = {} }: EngineOptions, events: EngineEvents): Engine {
  const config = parseConfig(settings);
  const { mode, dataDir, status } = storage;
  const store = new Store({
    mode,
    ...(dataDir === undefined ? {} : { dataDir }),
    fire: (due) => objects.fire(due),
    onFatal: (error) => events.onFatal(error, config),
  });
  const registry = registryIn(store);
  const segments = dataDir === undefined ? undefined : folderSegments(join(dataDir, "segments"));
  const objects = new ObjectHost({ store, config, segments, registry });
  const liveReads = new LiveReads();
  const edge = composeEdge({ config, objects, liveReads, storage: storageStatus(store.commits, status) });
  const counts = new RequestCounts(() => performance.now());
  const background = {
    waitUntil: (promise: Promise<unknown>) =>
      void promise.catch((error: unknown) => logFault(config.logLevel, "Work after an answer failed.", error)),
  };
  return {
    config,
    start: () => store.alarms.start(),
    answer: (request) => counts.count(request, () => edge.answer(request, background)),
    endLiveReads: () => liveReads.end(),
    metrics: () => formatMetrics({ counts, liveReads: liveReads.count, store, objects }),
    close: () => store.close(),
  };
}
