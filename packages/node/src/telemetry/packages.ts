/**
 * Loads the packages of OpenTelemetry. They are optional peers, because they need more room than the rest of the server, so
 * they are loaded only where traces and metrics are exported.
 */

import { createRequire } from "node:module";

import { TelemetryError } from "./telemetry-error.ts";

/** The packages, and the versions that this server was tested with. */
export const TESTED_VERSIONS = {
  "@opentelemetry/api": "1.9.1",
  "@opentelemetry/exporter-metrics-otlp-proto": "0.223.0",
  "@opentelemetry/exporter-trace-otlp-proto": "0.223.0",
  "@opentelemetry/resources": "2.12.0",
  "@opentelemetry/sdk-metrics": "2.12.0",
  "@opentelemetry/sdk-trace-base": "2.12.0",
} as const;

export interface OpenTelemetry {
  readonly api: typeof import("@opentelemetry/api");
  readonly resources: typeof import("@opentelemetry/resources");
  readonly metrics: typeof import("@opentelemetry/sdk-metrics");
  readonly traces: typeof import("@opentelemetry/sdk-trace-base");
  readonly metricsExporter: typeof import("@opentelemetry/exporter-metrics-otlp-proto");
  readonly tracesExporter: typeof import("@opentelemetry/exporter-trace-otlp-proto");
}

type PackageName = keyof typeof TESTED_VERSIONS;

/**
 * Loads them at once: a handler that is created without waiting needs them, too.
 * @param load finds a package by its name; by default from the place of this file.
 * @throws TelemetryError if one is missing, which says how to install them.
 */
export function loadOpenTelemetry(
  load: (name: PackageName) => unknown = createRequire(import.meta.url),
): OpenTelemetry {
  try {
    return {
      api: load("@opentelemetry/api"),
      resources: load("@opentelemetry/resources"),
      metrics: load("@opentelemetry/sdk-metrics"),
      traces: load("@opentelemetry/sdk-trace-base"),
      metricsExporter: load("@opentelemetry/exporter-metrics-otlp-proto"),
      tracesExporter: load("@opentelemetry/exporter-trace-otlp-proto"),
    } as OpenTelemetry;
  } catch (error) {
    if (!isMissing(error)) throw error;
    const packages = Object.entries(TESTED_VERSIONS).map(([name, version]) => `${name}@${version}`);
    throw new TelemetryError(
      "Traces and metrics cannot be exported, because the packages of OpenTelemetry are not installed.",
      {
        fix:
          `install them beside the server: npm install ${packages.join(" ")} (with --global if the server is global; in a ` +
          "clone of its repository: node scripts/install.mjs), or export nothing: set OTEL_SDK_DISABLED=true",
        cause: error,
      },
    );
  }
}

function isMissing(error: unknown): boolean {
  if (!(error instanceof Error && "code" in error)) return false;
  return (
    (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND") &&
    error.message.includes("@opentelemetry/")
  );
}
