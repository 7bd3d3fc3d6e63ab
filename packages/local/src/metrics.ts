/** What Prometheus scrapes: the Worker's own counts, and what only its launcher sees. */

import { once } from "node:events";
import { createServer } from "node:http";

import { isLoopback } from "./banner.ts";
import { DataUsage, dataMetrics } from "./data-usage.ts";
import { processMetrics } from "./process-metrics.ts";
import { readProcessRecord } from "./process-record.ts";
import { metric, PROMETHEUS_TYPE } from "./prometheus.ts";
import type { Runtime } from "./runtime.ts";

/** Numbers of requests and bytes are nobody else's business. */
export const METRICS_HOST = "127.0.0.1";

/** More than scrapers need. */
const CONNECTIONS_MAX = 16;

const MISDIRECTED = "Metrics are for this machine only: ask for localhost or 127.0.0.1.\n";

export interface MetricsServer {
  readonly url: string;
  stop(): void;
}

/** Answers `GET /metrics` until it is stopped. */
export async function serveMetrics(port: number, runtime: Runtime, dataDir: string): Promise<MetricsServer> {
  const usage = new DataUsage(dataDir);
  usage.latest();
  const server = createServer((request, response) => {
    // A web page whose name was made to point here sends that name (DNS rebinding).
    if (!isLoopbackHost(request.headers.host ?? "")) return void response.writeHead(421).end(MISDIRECTED);
    if (request.method !== "GET" || request.url !== "/metrics") return void response.writeHead(404).end();
    collect(runtime, dataDir, usage).then(
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

async function collect(runtime: Runtime, dataDir: string, usage: DataUsage): Promise<string> {
  // A workerd that is being restarted does not answer; its counts begin again at 0 then.
  const ofWorker = await runtime.metrics().catch(() => undefined);
  const workerd = readProcessRecord(dataDir);
  return [
    metric("durable_streams_up", "gauge", "Whether workerd answers.", [` ${ofWorker === undefined ? 0 : 1}`]),
    metric("durable_streams_workerd_crashes_total", "counter", "How often workerd had to be started again.", [
      ` ${runtime.crashes()}`,
    ]),
    ofWorker ?? "",
    processMetrics([
      { role: "launcher", pid: process.pid },
      ...(workerd === undefined ? [] : [{ role: "workerd", pid: workerd.pid } as const]),
    ]),
    await dataMetrics(dataDir, usage.latest()),
  ].join("");
}
