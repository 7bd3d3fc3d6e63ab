import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { formatConfig } from "./explain.ts";
import { loadConfig } from "./load-config.ts";
import { resolveConfig } from "./resolve.ts";

const cwd = "/nowhere";
const telemetryIn = (env: Readonly<Record<string, string>>) => loadConfig({ env, cwd }).telemetry;

it("nothing is exported without an endpoint", () => {
  expect(telemetryIn({})).toBeUndefined();
  expect(
    telemetryIn({ OTEL_EXPORTER_OTLP_HEADERS: "a=b", OTEL_SERVICE_NAME: "x", DS_SERVER__PORT: "1" }),
  ).toBeUndefined();
});

it("the variables of OpenTelemetry say where to, and what", () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b%2Cc, tenant=50%",
    OTEL_SERVICE_NAME: "streams-eu",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
    OTEL_METRIC_EXPORT_INTERVAL: "15000",
  };
  expect(telemetryIn(env)).toEqual({
    endpoint: "http://collector:4318",
    headers: { "api-key": "a b,c", tenant: "50%" },
    serviceName: "streams-eu",
    sampler: "parentbased_traceidratio",
    samplerRatio: 0.25,
    metricsIntervalMs: 15_000,
  });
  expect(telemetryIn({ ...env, OTEL_SDK_DISABLED: "true" })).toBeUndefined();
});

it("what only another program could use is ignored, but not in a variable of the server's own", () => {
  expect(telemetryIn({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317", OTEL_TRACES_SAMPLER: "xray" })).toBeUndefined();
  const wrong = { DS_TELEMETRY__OTLP_ENDPOINT: "collector:4317", DS_TELEMETRY__OTLP_HEADERS: "hidden" };
  expect(() => loadConfig({ env: wrong, cwd })).toThrow("DS_TELEMETRY__OTLP_ENDPOINT must be a URL without a password");
  expect(() => loadConfig({ env: wrong, cwd })).not.toThrow("hidden");
});

it("a variable of the server's own counts instead of OpenTelemetry's, each by itself, and headers are never shown", () => {
  const env = {
    DS_TELEMETRY__OTLP_ENDPOINT: "https://own.example.com",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "api-key=hidden",
    OTEL_TRACES_SAMPLER: "always_off",
    AWS_SECRET_ACCESS_KEY: "of-aws",
  };
  expect(telemetryIn(env)).toMatchObject({
    endpoint: "https://own.example.com",
    headers: { "api-key": "hidden" },
    sampler: "always_off",
  });
  const shown = formatConfig(resolveConfig({ env, cwd }).values);
  expect(shown).toContain(
    "telemetry.otlp_headers = (secret)\n    from the environment variable OTEL_EXPORTER_OTLP_HEADERS",
  );
  expect(shown).not.toContain("hidden");
});

it("the engine workerd refuses an endpoint that is meant for it, and not one that is meant for every program", () => {
  const workerd = { DS_SERVER__ENGINE: "workerd" };
  const env = { ...workerd, DS_TELEMETRY__OTLP_ENDPOINT: "http://collector:4318" };
  expect(() => resolveConfig({ env, cwd })).toThrow("the engine workerd has no export of traces and metrics");
  const shared = { ...workerd, OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
  expect(() => resolveConfig({ env: shared, cwd })).not.toThrow();
});

it("a file has the ratio as a number, and whether to send anything as a boolean", () => {
  const folder = mkdtempSync(join(tmpdir(), "telemetry-options-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const configFile = join(folder, "server.toml");
  const table = '[telemetry]\notlp_endpoint = "http://collector:4318"\ntraces_sampler = "traceidratio"\n';
  writeFileSync(configFile, `${table}traces_sampler_arg = 0.25\n`);
  expect(loadConfig({ configFile, env: {}, cwd }).telemetry).toMatchObject({
    sampler: "traceidratio",
    samplerRatio: 0.25,
  });
  writeFileSync(configFile, `${table}traces_sampler_arg = 1\ndisabled = true\n`);
  expect(loadConfig({ configFile, env: {}, cwd }).telemetry).toBeUndefined();
});
