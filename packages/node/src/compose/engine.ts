/** The server without a way in: storage, objects, the edge and metrics. A listener or a handler passes requests to it. */

import { parseConfig, type Config } from "@durable-streams-cloudflare/core/config";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { refusedAnswer } from "@durable-streams-cloudflare/http/answers/problem";
import type { Authorize } from "@durable-streams-cloudflare/http/auth/authorize";
import type { Edge } from "@durable-streams-cloudflare/http/edge";
import { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import type { Metric } from "@durable-streams-cloudflare/http/metrics/metric";
import { RequestCounts } from "@durable-streams-cloudflare/http/metrics/request-counts";
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import { metricsRoute } from "@durable-streams-cloudflare/http/routes/metrics";
import { composeRoutes } from "@durable-streams-cloudflare/http/routing/table";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import { collectMetrics } from "../metrics.ts";
import { ServedModules } from "../objects/module-objects.ts";
import { ObjectHost } from "../objects/object-host.ts";
import { outboundFetch } from "../outbound/outbound-fetch.ts";
import type { StorageOptions } from "../storage/modes/options.ts";
import { openStorage } from "../storage/open-storage.ts";
import type { Recovery } from "../storage/recovery.ts";
import { registryIn } from "../storage/registry-rows.ts";
import { storageStatus } from "../storage/storage-status.ts";
import type { TelemetryOptions } from "../telemetry/options.ts";
import { openTelemetry } from "../telemetry/telemetry.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import { composeEdge } from "./edge.ts";

/** What a server and a handler have in common. */
export interface EngineOptions {
  /** Where the data is kept, and what an acknowledgement promises. */
  readonly storage: StorageOptions;
  /** Decides who may do what. Without it, the setting `AUTH_MODE` decides. */
  readonly authorize?: Authorize;
  /** Modules, each with its own routes, and possibly its own objects and settings (`docs/modules.md`). */
  readonly modules?: readonly Module[];
  /** Further metrics for `/metrics`, such as what the operator's process measures. */
  readonly moreMetrics?: () => Promise<readonly Metric[]>;
  /** Exports traces and metrics to a collector. Without it, nothing is exported, and the packages it needs are not loaded. */
  readonly telemetry?: TelemetryOptions;
  /** The settings of `docs/configuration.md` and of the modules, by name. */
  readonly settings?: Readonly<Record<string, string | undefined>>;
}

/** What the engine tells its owner. */
export interface EngineEvents {
  /** The engine cannot continue: a sync has failed, so it is unknown what is durable. */
  onFatal(error: unknown, config: Config): void;
}

/** An engine that is running. */
export interface Engine {
  readonly config: Config;
  /** What the last server on this data directory had left undone; `undefined` when it ended in order. */
  readonly recovery: Recovery | undefined;
  /**
   * Checks the bucket of cold segments, if there is one. Call it before `start`.
   * @throws StorageError if the bucket cannot be used; it says which setting is wrong.
   */
  prepare(): Promise<void>;
  /** Starts the alarms: from now on the engine works by itself. */
  start(): void;
  /** Answers a request. The host sends `COMMON_HEADERS` as well. */
  answer(request: HttpRequest): Promise<Answer>;
  /** Ends live reads between two events; those that begin later end as soon as the protocol permits. */
  endLiveReads(): void;
  /** Whether any module has sockets. */
  readonly hasSockets: boolean;
  /** Closes all sockets with 1001, and opens no more. Resolves when they have ended, at the latest after `drainMs`. */
  closeSockets(drainMs: number): Promise<void>;
  /** What the server itself measures. */
  metrics(): readonly Metric[];
  /** The metrics as `/metrics` answers them: with `moreMetrics`. */
  allMetrics(): Promise<readonly Metric[]>;
  /** Makes everything durable and releases the data directory. Call it when no request is in flight. */
  close(): Promise<void>;
}

/**
 * Opens the data directory and composes the engine. Alarms do not fire before `start`.
 * @throws ConfigError if a setting is invalid.
 * @throws ModuleError if the modules do not fit together.
 * @throws TelemetryError if the packages for exporting are missing.
 * @throws StorageError if a storage option is invalid, or the data directory does not match the options.
 * @throws Error if the data directory cannot be used, or another server uses it.
 */
export function openEngine(
  {
    storage: options,
    authorize,
    modules = [],
    settings = {},
    moreMetrics = async () => [],
    telemetry: exported,
  }: EngineOptions,
  events: EngineEvents,
): Engine {
  const config = parseConfig(settings);
  const telemetry = exported && openTelemetry(exported, { metrics: () => allMetrics(), logLevel: config.logLevel });
  const tracing = telemetry?.tracing;
  const routes = composeRoutes(modules, [metricsRoute(() => allMetrics())]);
  const served = new ServedModules(modules, settings);
  let hasFailed = false;
  const storage = openStorage(options, {
    fire: (due) => objects.fire(due),
    onFatal: (error) => {
      hasFailed = true;
      events.onFatal(error, config);
    },
    report: (message, error) => logFault(config.logLevel, message, error),
    moduleSchemas: served.schemas,
  });
  const objects = new ObjectHost({
    storage,
    config,
    registry: registryIn(storage.first),
    send: outboundFetch(config.outboundAddresses),
    modules: served,
    tracing,
  });
  const liveReads = new LiveReads();
  const edge = composeEdge({
    config,
    authorize,
    objects,
    liveReads,
    storage: storageStatus(storage, options.status),
    routes,
    tracing,
  });
  const counts = new RequestCounts(() => performance.now());
  const metrics = (): readonly Metric[] =>
    collectMetrics({ counts, liveReads: liveReads.count, storage, objects, modules: served });
  const allMetrics = async (): Promise<readonly Metric[]> => [...metrics(), ...(await moreMetrics())];
  return {
    config,
    recovery: storage.recovery,
    prepare: async () => storage.bucket?.claim(),
    start: () => {
      storage.start();
      telemetry?.start();
    },
    answer: servingWith(edge, { config, counts, tracing, hasFailed: () => hasFailed }),
    endLiveReads: () => liveReads.end(),
    hasSockets: served.haveSockets,
    closeSockets: (drainMs) => objects.closeSockets(drainMs),
    metrics,
    allMetrics,
    close: async () => {
      // The last metrics are collected while the storage is open.
      await telemetry?.close();
      await storage.close();
    },
  };
}

interface Serving {
  readonly config: Config;
  readonly counts: RequestCounts;
  /** `undefined`: no request is recorded. */
  readonly tracing: Pick<Tracing, "serve"> | undefined;
  readonly hasFailed: () => boolean;
}

/** Passes requests to the edge, unless the server has failed or the application has read their bodies. */
function servingWith(edge: Edge, { config, counts, tracing, hasFailed }: Serving): Engine["answer"] {
  const background = {
    waitUntil: (promise: Promise<unknown>) =>
      void promise.catch((error: unknown) => logFault(config.logLevel, "Work after an answer failed.", error)),
  };
  const serve: Engine["answer"] = (request) => {
    if (hasFailed()) return refusedAnswer(request, refuseFailed());
    return request.bodyUsed ? refusedAnswer(request, refuseReadBody()) : edge.answer(request, background);
  };
  return (request) =>
    counts.count(request, () =>
      tracing === undefined ? serve(request) : tracing.serve(request, () => serve(request)),
    );
}

function refuseFailed(): Refusal {
  return refuse("unavailable", "The disk failed, so the server must be started again.", {
    headers: { "Retry-After": "5" },
  });
}

/** The application in which the server is mounted has read the body. */
function refuseReadBody(): Refusal {
  return refuse("internal", "The body of the request was read before the request reached the server.", {
    hint: "Mount the server before every body parser, such as express.json().",
  });
}
