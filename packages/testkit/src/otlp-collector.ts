/**
 * A collector of OpenTelemetry, as far as the server uses it, in this process: it takes OTLP over HTTP in protobuf, and decodes
 * it by the numbers of the public definitions. It is a fake, but a strict one: it refuses other paths, methods and media types,
 * and whatever it cannot decode.
 */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

import { decodeMetrics, decodeSpans, type CollectedMetric, type CollectedSpan } from "./otlp-messages.ts";

export interface OtlpCollector {
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** The metrics of the newest export, by name. */
  readonly metrics: Map<string, CollectedMetric>;
  /** The headers of each export, whether it was taken or not. */
  readonly requests: IncomingHttpHeaders[];
  /** `down`: answers with 503, which means "try again"; `refusing`: with 400; `hung`: never answers. */
  mode: "up" | "down" | "refusing" | "hung";
  /** Answers with 400 to this path alone. */
  refusedPath: string;
  /** Path and status of each answer, in their order. */
  readonly answers: string[];
  close(): Promise<void>;
}

/** Starts a collector on a free port of this machine. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const state = {
    spans: [] as CollectedSpan[],
    metrics: new Map<string, CollectedMetric>(),
    requests: [] as IncomingHttpHeaders[],
    mode: "up" as OtlpCollector["mode"],
    refusedPath: "",
    answers: [] as string[],
  };
  const server = createServer((request, response) => {
    response.on("finish", () => state.answers.push(`${request.url} ${response.statusCode}`));
    void buffer(request).then(
      (sent) => {
        state.requests.push(request.headers);
        if (state.mode === "hung") return;
        if (state.mode === "down") return void response.writeHead(503).end();
        if (state.mode === "refusing" || state.refusedPath === request.url) return void response.writeHead(400).end();
        if (request.method !== "POST" || request.headers["content-type"] !== "application/x-protobuf") {
          return void response.writeHead(415).end();
        }
        const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
        if (request.url === "/v1/traces") state.spans.push(...decodeSpans(body));
        else if (request.url === "/v1/metrics") {
          for (const metric of decodeMetrics(body)) state.metrics.set(metric.name, metric);
        } else return void response.writeHead(404).end();
        response.writeHead(200, { "Content-Type": "application/x-protobuf" }).end();
      },
      () => response.destroy(),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(state, {
    url,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
