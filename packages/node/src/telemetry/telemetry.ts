/** Exports traces and metrics to a collector of OpenTelemetry, by OTLP over HTTP. */

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";

import type { Config } from "@durable-streams-cloudflare/core/config";
import { logWarning } from "@durable-streams-cloudflare/core/kit/log";
import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import type { Metric } from "@durable-streams-cloudflare/http/metrics/metric";
import type { HrTime } from "@opentelemetry/api";
import type { MetricProducer, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { BasicTracerProvider, Sampler as SdkSampler } from "@opentelemetry/sdk-trace-base";

import { ExportStatus } from "./export-status.ts";
import { FLUSH_MS_MAX, METRICS_INTERVAL_MS, SERVICE_NAME, type TelemetryOptions } from "./options.ts";
import { toOtlp } from "./otlp-metrics.ts";
import { loadOpenTelemetry, type OpenTelemetry } from "./packages.ts";
import { Tracing } from "./tracing.ts";

/** The instrumentation scope of everything that is exported. */
const SCOPE = "@durable-streams-cloudflare/node";

/** What exporting needs of the server. */
export interface TelemetrySources {
  readonly metrics: () => Promise<readonly Metric[]>;
  readonly logLevel: Config["logLevel"];
}

/** Exports until it is closed. Whatever fails is reported and dropped: it concerns no request. */
export interface Telemetry {
  readonly tracing: Tracing;
  /** Begins to export metrics. */
  start(): void;
  /** Sends what is waiting, for a few seconds at most. Never rejects. */
  close(): Promise<void>;
}

/**
 * Sets up exporting.
 * @throws TelemetryError if the packages of OpenTelemetry are missing.
 */
export function openTelemetry(options: TelemetryOptions, { metrics, logLevel }: TelemetrySources): Telemetry {
  const packages = loadOpenTelemetry();
  const { api, resources, traces, tracesExporter } = packages;
  const status = new ExportStatus(options.endpoint, (message) => logWarning(logLevel, message));
  const resource = resourceOf(resources, options);
  const { headers = {} } = options;
  const exporter = new tracesExporter.OTLPTraceExporter({ url: urlOf(options, "traces"), headers });
  const provider: BasicTracerProvider = new traces.BasicTracerProvider({
    resource,
    sampler: samplerOf(traces, options),
    // Its queue is bounded: when the collector is slower than the spans, the newest are dropped.
    spanProcessors: [new traces.BatchSpanProcessor(status.watch("Traces", exporter))],
  });
  const tracing = new Tracing(api, provider.getTracer(SCOPE));
  let reader: PeriodicExportingMetricReader | undefined;
  return {
    tracing,
    start: () => (reader = startMetrics(packages, { options, resource, metrics, status })),
    close: async () => {
      const flushed = Promise.allSettled([provider.shutdown(), reader?.shutdown()]).then(() => true);
      const late = setTimeout(options.flushMsMax ?? FLUSH_MS_MAX, false, { ref: false });
      if (!(await Promise.race([flushed, late]))) status.noteLost();
    },
  };
}

interface MetricsParts extends Pick<TelemetrySources, "metrics"> {
  readonly options: TelemetryOptions;
  readonly resource: ReturnType<typeof resourceOf>;
  readonly status: ExportStatus;
}

function startMetrics(
  packages: OpenTelemetry,
  { options, resource, metrics, status }: MetricsParts,
): PeriodicExportingMetricReader {
  const { metrics: sdk, metricsExporter } = packages;
  const startTime = hrTimeNow();
  const producer: MetricProducer = {
    collect: async () => {
      const period = { startTime, endTime: hrTimeNow() };
      const scopeMetrics = [{ scope: { name: SCOPE }, metrics: toOtlp(await metrics(), period, packages) }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
  const { headers = {}, metricsIntervalMs = METRICS_INTERVAL_MS } = options;
  const exporter = new metricsExporter.OTLPMetricExporter({
    url: urlOf(options, "metrics"),
    headers,
    temporalityPreference: sdk.AggregationTemporality.CUMULATIVE,
  });
  const reader = new sdk.PeriodicExportingMetricReader({
    exporter: status.watch("Metrics", exporter),
    exportIntervalMillis: metricsIntervalMs,
    exportTimeoutMillis: metricsIntervalMs,
  });
  reader.setMetricProducer(producer);
  return reader;
}

function urlOf({ endpoint }: TelemetryOptions, signal: "traces" | "metrics"): string {
  return `${endpoint.replace(/\/+$/, "")}/v1/${signal}`;
}

/** What OTEL_RESOURCE_ATTRIBUTES says counts as well. */
function resourceOf(
  { defaultResource, detectResources, envDetector, resourceFromAttributes }: OpenTelemetry["resources"],
  { serviceName }: TelemetryOptions,
) {
  const ofServer = { "service.name": SERVICE_NAME, "service.instance.id": randomUUID() };
  return defaultResource()
    .merge(resourceFromAttributes(ofServer))
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(resourceFromAttributes(serviceName === undefined ? {} : { "service.name": serviceName }));
}

function samplerOf(
  { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler }: OpenTelemetry["traces"],
  { sampler = "parentbased_always_on", samplerRatio = 1 }: TelemetryOptions,
): SdkSampler {
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(samplerRatio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(samplerRatio) });
  }
}

function hrTimeNow(): HrTime {
  const ms = wallMs();
  return [Math.floor(ms / 1000), (ms % 1000) * 1_000_000];
}
