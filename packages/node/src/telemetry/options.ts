/** What a server needs to know to export its traces and metrics. */

export const SAMPLERS = [
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
  "always_on",
  "always_off",
  "traceidratio",
] as const;

/** Which traces are recorded. The names are OpenTelemetry's, as in `OTEL_TRACES_SAMPLER`. */
export type Sampler = (typeof SAMPLERS)[number];

/** Where traces and metrics go, by OTLP over HTTP. */
export interface TelemetryOptions {
  /** The base URL of the collector, such as `http://localhost:4318`; `/v1/traces` and `/v1/metrics` are added. */
  readonly endpoint: string;
  /** Sent with each export, such as a key of the collector. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By default `durable-streams`. */
  readonly serviceName?: string;
  /** By default `parentbased_always_on`: as the caller decides, and without a caller, all. */
  readonly sampler?: Sampler;
  /** With a sampler by ratio: the part of traces to record, from 0 to 1, which is the default. */
  readonly samplerRatio?: number;
  /** How often metrics are sent, in ms. By default once a minute. */
  readonly metricsIntervalMs?: number;
  /** How long the end of the server waits for the collector, in ms. By default 3 seconds. */
  readonly flushMsMax?: number;
}

export const SERVICE_NAME = "durable-streams";
export const METRICS_INTERVAL_MS = 60_000;
export const FLUSH_MS_MAX = 3_000;
