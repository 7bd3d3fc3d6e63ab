/** Composes and starts the server in one process: storage, objects, the edge, and the HTTP port. */

import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { parseConfig, type Config } from "@durable-streams-cloudflare/core/config";
import { logFault } from "@durable-streams-cloudflare/core/kit/log";
import { defaultAuthorize, grantEverything } from "@durable-streams-cloudflare/http/auth/authorize";
import { projectAuthorize } from "@durable-streams-cloudflare/http/auth/project-authorize";
import { PublicKeys } from "@durable-streams-cloudflare/http/auth/public-keys";
import { Registry } from "@durable-streams-cloudflare/http/auth/registry";
import { staticRegistryStore } from "@durable-streams-cloudflare/http/auth/static-project";
import { WakeGuard } from "@durable-streams-cloudflare/http/auth/wake-guard";
import { AppendBatcher } from "@durable-streams-cloudflare/http/client/append-batcher";
import { Projects } from "@durable-streams-cloudflare/http/client/projects";
import { SharedReads } from "@durable-streams-cloudflare/http/client/shared-reads";
import { createEdge, type Edge } from "@durable-streams-cloudflare/http/edge";
import { HeldBytes } from "@durable-streams-cloudflare/http/limits/held-bytes";
import { rateLimiterOf } from "@durable-streams-cloudflare/http/limits/isolate-limiter";
import type { StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";
import { Strangers } from "@durable-streams-cloudflare/http/limits/strangers";
import { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import { RequestCounts } from "@durable-streams-cloudflare/http/metrics/request-counts";
import type { ProjectPorts } from "@durable-streams-cloudflare/http/routing/edge-ports";
import { composeRoutes } from "@durable-streams-cloudflare/http/routing/table";

import { IncomingRequest } from "./http/incoming-request.ts";
import { writeAnswer } from "./http/write-answer.ts";
import { formatMetrics } from "./metrics.ts";
import { ObjectHost } from "./objects/object-host.ts";
import { folderSegments } from "./storage/folder-segments.ts";
import { registryIn } from "./storage/registry-rows.ts";
import { storageStatus } from "./storage/storage-status.ts";
import { Store, type StorageMode } from "./storage/store.ts";

export interface ServerOptions {
  readonly mode: StorageMode;
  readonly dataDir?: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Whether the disk can store more; without it nobody asks. */
  readonly storage?: StorageStatus;
  /** The settings, by their names. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** The server cannot go on. By default the process ends. */
  readonly onFatal?: (error: unknown) => void;
}

export interface RunningServer {
  readonly url: string;
  /** Ends live reads between two events, finishes what is under way, and makes everything durable. */
  /** @param drainMs how long requests under way may take; after that they are cut off. */
  close(drainMs?: number): Promise<void>;
  /** For Prometheus. */
  metrics(): string;
}

/** How long requests that are under way may take after the server was told to stop. */
const CLOSE_MS_MAX = 10_000;

/** @throws ConfigError when a setting is out of its bounds. */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const config = parseConfig(options.settings);
  const onFatal = options.onFatal ?? ((error) => endProcess(config, error));
  const store = new Store({
    mode: options.mode,
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    fire: (due) => objects.fire(due),
    onFatal,
  });
  const registry = registryIn(store);
  const segments = options.dataDir === undefined ? undefined : folderSegments(join(options.dataDir, "segments"));
  const objects = new ObjectHost({ store, config, segments, registry });
  const liveReads = new LiveReads();
  const edge = edgeOf(config, objects, liveReads, storageStatus(store.commits, options.storage));
  const counts = new RequestCounts(() => performance.now());
  const server = createHttpServer({ keepAliveTimeout: 65_000 }, (message, response) =>
    serve({ edge, config, counts }, message, response),
  );
  // This server is not a proxy.
  server.on("connect", (_, socket) => socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n"));
  await listen(server, options.host, options.port);
  store.alarms.start();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    metrics: () => formatMetrics({ counts, liveReads: liveReads.count, store, objects }),
    close: async (drainMs = CLOSE_MS_MAX) => {
      liveReads.end();
      await closeServer(server, drainMs);
      await store.close();
    },
  };
}

function edgeOf(config: Config, objects: ObjectHost, liveReads: LiveReads, storage: StorageStatus): Edge {
  const {
    streams,
    projects: projectObjects,
    registry: kv,
    followers,
    sessions,
    subscriptions,
    segments,
  } = objects.peers;
  if (projectObjects === undefined || kv === undefined) throw new Error("The server has no projects.");
  const limiter = rateLimiterOf(undefined);
  const registry = new Registry(staticRegistryStore(kv, config.projectSecret));
  const isOpen = config.authMode === "none";
  const projects: ProjectPorts = {
    registry,
    strangers: new Strangers(config.strangersPerMinute, config.originSecret !== ""),
    projects: new Projects({ REGISTRY: kv, PROJECTS: projectObjects, STREAMS: streams }, registry),
    authorizeAll: isOpen ? (request) => grantEverything({ request }) : undefined,
  };
  return createEdge(
    {
      config,
      access: isOpen ? "everybody" : "tokens",
      storage,
      authorize: isOpen ? defaultAuthorize(config.authMode) : projectAuthorize(projects),
      streams: {
        getByName: (name) => streams.getByName(name),
        attach: (name, from, admission) => objects.attach(name, from, admission),
        idOf: (name) => name,
      },
      // Where edge and objects share a process there is no call to save.
      appends: new AppendBatcher(false),
      reads: new SharedReads(false),
      bodies: new HeldBytes(config.bodiesBytesMax),
      liveReads,
      projects,
      wakes: new WakeGuard(projects, isOpen ? "nothing" : "tag"),
      keys: new PublicKeys(),
      limiter,
      counters: (project) => projectObjects.getByName(project).counters(),
      control: subscriptions && { consumers: subscriptions, projects: projectObjects },
      estuaries: sessions,
      followers,
      segments,
      modules: new Map(),
    },
    composeRoutes([]),
  );
}

interface Serving {
  readonly edge: Edge;
  readonly config: Config;
  readonly counts: RequestCounts;
}

function serve({ edge, config, counts }: Serving, message: IncomingMessage, response: ServerResponse): void {
  const request = new IncomingRequest(message, response, "http");
  const background = {
    waitUntil: (promise: Promise<unknown>) =>
      void promise.catch((error: unknown) => logFault(config.logLevel, "Work after an answer failed.", error)),
  };
  counts
    .count(request, () => edge.answer(request, background))
    .then((answer) => writeAnswer(response, answer, request.method === "HEAD"))
    .catch((error: unknown) => {
      logFault(config.logLevel, "An answer could not be written.", error);
      response.destroy();
    });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function closeServer(server: Server, drainMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(timer);
}

/** What is durable is not known any more: only a new process, which reads the disk again, can tell. */
function endProcess({ logLevel }: Config, error: unknown): void {
  logFault(logLevel, "The server stops, because the disk failed.", error);
  process.exit(70);
}
