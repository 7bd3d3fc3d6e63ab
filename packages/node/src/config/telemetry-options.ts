/** The options for exporting traces and metrics, and how they become those of the server. */

import { choice, integer, type Setting } from "@durable-streams-cloudflare/core/setting-kinds";

import { METRICS_INTERVAL_MS, SAMPLERS, SERVICE_NAME, type TelemetryOptions } from "../telemetry/options.ts";

function text(pattern: RegExp, expects: string, about: string, defaultValue = ""): Setting {
  return { kind: "text", default: defaultValue, pattern, expects, about };
}

const HEADERS = {
  kind: "text",
  default: "",
  pattern: /^[\w-]+=[\x20-\x2b\x2d-\x7e]*(?:,\s*[\w-]+=[\x20-\x2b\x2d-\x7e]*)*$/,
  expects: "headers such as api-key=secret,tenant=a, with values percent-encoded",
  about: "headers that are sent with each export, such as a key of the collector",
  isSecret: true,
} as const;

export const TELEMETRY_OPTIONS = [
  {
    path: "telemetry.otlp_endpoint",
    setting: text(
      /^https?:\/\/[^\s?#@]+$/,
      "a URL without a password, such as http://localhost:4318",
      "the collector to which traces and metrics are sent by OTLP over HTTP; /v1/traces and /v1/metrics are added; without " +
        "it, nothing is sent",
    ),
    otherVariable: "OTEL_EXPORTER_OTLP_ENDPOINT",
  },
  { path: "telemetry.otlp_headers", setting: HEADERS, otherVariable: "OTEL_EXPORTER_OTLP_HEADERS" },
  {
    path: "telemetry.service_name",
    setting: text(/^[^\p{Cc}]{1,255}$/u, "1 to 255 characters", "the name of this service in traces", SERVICE_NAME),
    otherVariable: "OTEL_SERVICE_NAME",
  },
  {
    path: "telemetry.traces_sampler",
    setting: choice(
      "parentbased_always_on",
      SAMPLERS,
      "which traces are recorded, in OpenTelemetry's names; parentbased: as the caller has decided, if there is one",
    ),
    otherVariable: "OTEL_TRACES_SAMPLER",
  },
  {
    path: "telemetry.traces_sampler_arg",
    setting: text(
      /^(?:0(?:\.\d{1,9})?|\.\d{1,9}|1(?:\.0{1,9})?)$/,
      "a number from 0 to 1",
      "with a sampler by ratio: the part of traces that is recorded",
      "1",
    ),
    otherVariable: "OTEL_TRACES_SAMPLER_ARG",
  },
  {
    path: "telemetry.metrics_interval_ms",
    setting: integer(METRICS_INTERVAL_MS, 1_000, 3_600_000, "how often metrics are sent, in milliseconds"),
    otherVariable: "OTEL_METRIC_EXPORT_INTERVAL",
  },
  {
    path: "telemetry.disabled",
    setting: choice("false", ["false", "true"], "true: nothing is sent, whatever else is set"),
    otherVariable: "OTEL_SDK_DISABLED",
  },
] as const;

type TelemetryPath = (typeof TELEMETRY_OPTIONS)[number]["path"];

interface TelemetryValues {
  readonly valueOf: (path: TelemetryPath) => string;
  readonly isChosen: (path: TelemetryPath) => boolean;
}

/** Where traces and metrics are sent, if they are. */
export function telemetryOf({ valueOf, isChosen }: TelemetryValues): { readonly telemetry?: TelemetryOptions } {
  if (!isChosen("telemetry.otlp_endpoint") || valueOf("telemetry.disabled") === "true") return {};
  const sampler = SAMPLERS.find((known) => known === valueOf("telemetry.traces_sampler"));
  return {
    telemetry: {
      endpoint: valueOf("telemetry.otlp_endpoint"),
      headers: parseHeaders(valueOf("telemetry.otlp_headers")),
      // What OTEL_RESOURCE_ATTRIBUTES says counts where nobody has chosen a name.
      ...(isChosen("telemetry.service_name") ? { serviceName: valueOf("telemetry.service_name") } : {}),
      ...(sampler === undefined ? {} : { sampler }),
      samplerRatio: Number(valueOf("telemetry.traces_sampler_arg")),
      metricsIntervalMs: Number(valueOf("telemetry.metrics_interval_ms")),
    },
  };
}

function parseHeaders(list: string): Readonly<Record<string, string>> {
  const pairs = list.split(",").filter((pair) => pair.includes("="));
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())];
    }),
  );
}

/** A value that is not percent-encoded counts as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
