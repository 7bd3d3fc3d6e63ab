/** The metrics page for Prometheus: the server's own counters, and what only its process or launcher can see. */

import { once } from "node:events";
import { createServer } from "node:http";

import { single, type Metric } from "@durable-streams-cloudflare/http/metrics/metric";
import { formatPrometheus, PROMETHEUS_TYPE } from "@durable-streams-cloudflare/http/metrics/prometheus";
import { isLoopback } from "@durable-streams-cloudflare/node/config";

import { DataUsage, dataMetrics } from "./data-usage.ts";
import { processMetrics } from "./process-metrics.ts";
import { readProcessRecord } from "./process-record.ts";
import type { Runtime } from "./runtime.ts";

/** Only programs on this machine may read the metrics. */
export const METRICS_HOST = "127.0.0.1";

/** More than scrapers need. */
const CONNECTIONS_MAX = 16;

const MISDIRECTED = "Metrics are served to this machine only: use the host name localhost or 127.0.0.1.\n";

export interface MetricsServer {
  readonly url: string;
  stop(): void;
}

/** Answers `GET /metrics` until it is stopped. */
export async function serveMetrics(port: number, collect: () => Promise<string>): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    // A web page whose host name was made to resolve to this machine sends that name (DNS rebinding).
    if (!isLoopbackHost(request.headers.host ?? "")) return void response.writeHead(421).end(MISDIRECTED);
    if (request.method !== "GET" || request.url !== "/metrics") return void response.writeHead(404).end();
    collect().then(
      (text) => response.writeHead(200, { "Content-Type": PROMETHEUS_TYPE }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.maxConnections = CONNECTIONS_MAX;
  await once(server.listen(port, METRICS_HOST), "listening");
  server.unref();
  return {
    url: `http://${METRICS_HOST}:${port}/metrics`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @param host of a request, with or without a port. */
function isLoopbackHost(host: string): boolean {
  return isLoopback(host.replace(/:\d+$/, ""));
}

/** The metrics of a server on workerd. */
export function workerdMetrics(runtime: Runtime, dataDir: string): () => Promise<string> {
  const usage = new DataUsage(dataDir);
  usage.latest();
  return () => collect(runtime, dataDir, usage);
}

interface NodeSources {
  /** Whether it takes connections. */
  readonly isUp: () => boolean;
  /** `undefined`: nothing is on disk. */
  readonly dataDir: string | undefined;
}

/** What a server in this process does not measure itself: what the system says about its process and its disk. */
export function nodeMetrics({ isUp, dataDir }: NodeSources): () => Promise<readonly Metric[]> {
  const usage = dataDir === undefined ? undefined : new DataUsage(dataDir);
  usage?.latest();
  return async () => [
    single("gauge", "durable_streams_up", "0 once the server is stopping.", isUp() ? 1 : 0),
    ...processMetrics([{ role: "server", pid: process.pid }]),
    ...(dataDir === undefined ? [] : await dataMetrics(dataDir, usage?.latest())),
  ];
}

async function collect(runtime: Runtime, dataDir: string, usage: DataUsage): Promise<string> {
  // workerd does not answer while it is restarted; its counters begin at 0 again afterwards.
  const ofWorker = await runtime.metrics().catch(() => undefined);
  const workerd = readProcessRecord(dataDir);
  const ofLauncher = [
    single("gauge", "durable_streams_up", "1 if workerd answers, otherwise 0.", ofWorker === undefined ? 0 : 1),
    single(
      "counter",
      "durable_streams_workerd_crashes_total",
      "Number of times workerd crashed and was restarted.",
      runtime.crashes(),
    ),
    ...processMetrics([
      { role: "launcher", pid: process.pid },
      ...(workerd === undefined ? [] : [{ role: "workerd", pid: workerd.pid } as const]),
    ]),
    ...(await dataMetrics(dataDir, usage.latest())),
  ];
  return formatPrometheus(ofLauncher) + (ofWorker ?? "");
}
