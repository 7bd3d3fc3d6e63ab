/** What a collector gets from a server: traces that continue the callers', metrics, and no secrets. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startOtlpCollector, type OtlpCollector } from "@durable-streams-cloudflare/testkit/otlp-collector";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";

import { createServer, type RunningServer, type ServerOptions } from "../create-server.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;
const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off", WEBHOOK_LOOPBACK: "allow" };
const ROUTE = "/v1/stream/:stream{.+}";
const TEXT = { "Content-Type": "text/plain" };

let collector: OtlpCollector;

beforeEach(async () => {
  const own = await startOtlpCollector();
  collector = own;
  // After the server, which sends it what it has left.
  onTestFinished(() => own.close());
});

afterEach(() => void vi.restoreAllMocks());

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await createServer({
    storage: { mode: "memory" },
    host: "127.0.0.1",
    port: 0,
    settings: SETTINGS,
    telemetry: { endpoint: collector.url },
    ...options,
  });
  onTestFinished(() => server.close(0));
  return server;
}

const ofTrace = () => collector.spans.filter(({ traceId }) => traceId === TRACE);
const named = (name: string) => collector.spans.filter((span) => span.name === name);

describe("a request", () => {
  it("continues the caller's trace, and its waiting for the stream and for the disk is below it", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "telemetry-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    const server = await start({ storage: { mode: "file-durable", dataDir } });
    const url = `${server.url}/v1/stream/rooms/north`;
    await fetch(url, { method: "PUT", headers: TEXT });
    const headers = { ...TEXT, traceparent: TRACEPARENT, tracestate: "vendor=x" };
    await fetch(url, { method: "POST", headers, body: "hi" });
    await server.close();
    const [request, ...more] = ofTrace().filter(({ kind }) => kind === "server");
    expect(more).toEqual([]);
    expect(request).toMatchObject({
      parentSpanId: CALLER,
      traceState: "vendor=x",
      name: `POST ${ROUTE}`,
      isError: false,
      attributes: {
        "http.request.method": "POST",
        "http.response.status_code": 204,
        "http.route": ROUTE,
        "url.path": "/v1/stream/rooms/north",
        "url.scheme": "http",
        "ds.stream": "rooms/north",
      },
      resource: { "service.name": "durable-streams", "service.instance.id": expect.any(String) as string },
    });
    const [append] = ofTrace().filter(({ name }) => name === "stream.append");
    const [commit] = ofTrace().filter(({ name }) => name === "commit");
    expect(append).toMatchObject({ parentSpanId: request?.spanId, kind: "internal" });
    expect(commit).toMatchObject({ parentSpanId: append?.spanId });
    expect(commit?.durationNs).toBeLessThanOrEqual(request?.durationNs ?? 0);
  });

  it("without a valid parent begins a trace, and is recorded as the sampler says", async () => {
    const server = await start();
    for (const traceparent of [`00-${TRACE}-${"0".repeat(16)}-01`, `00-${TRACE.toUpperCase()}-${CALLER}-01`]) {
      await fetch(`${server.url}/healthz`, { headers: { traceparent } });
    }
    // This caller has decided that the trace is not recorded.
    await fetch(`${server.url}/healthz`, { headers: { traceparent: `00-${TRACE}-${CALLER}-00` } });
    await server.close();
    const spans = named("GET /healthz");
    expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual(["", ""]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2);
    expect(ofTrace()).toEqual([]);
  });

  it("that is refused is no error; one that the server failed is", async () => {
    const fail = (): never => {
      throw new Error("a-private-message");
    };
    const server = await start({ authorize: fail });
    await fetch(`${server.url}/v1/nothing`);
    await fetch(`${server.url}/v1/stream/a`);
    await server.close();
    expect(named("GET")).toMatchObject([{ isError: false, attributes: { "http.response.status_code": 404 } }]);
    const attributes = { "http.response.status_code": 500, "error.type": "500" };
    expect(named(`GET ${ROUTE}`)).toMatchObject([{ isError: true, statusMessage: "", attributes }]);
    expect(JSON.stringify(collector.spans)).not.toContain("a-private-message");
  });

  it("is one span until its live read ends, whoever ends it", async () => {
    const server = await start();
    const url = `${server.url}/v1/stream/live`;
    await fetch(url, { method: "PUT", headers: TEXT, body: "one" });
    const reader = await fetch(`${url}?offset=-1&live=sse`, { headers: { traceparent: TRACEPARENT } });
    const ended = await fetch(`${url}?offset=-1&live=sse`);
    await reader.body?.cancel();
    await expect.poll(() => server.metrics()).toContain("durable_streams_live_reads 1\n");
    await fetch(url, { method: "POST", headers: { ...TEXT, "Stream-Closed": "true" }, body: "two" });
    expect(await ended.text()).toContain("data:two");
    await server.close(0);
    const sessions = collector.spans.filter(({ attributes }) => attributes["ds.live"] === "sse");
    const ends = sessions.map(({ attributes }) => attributes["ds.response.end"] ?? "complete");
    expect(new Set(ends)).toEqual(new Set(["cancelled", "complete"]));
    expect(ofTrace().filter(({ kind }) => kind === "server")).toMatchObject([{ name: `GET ${ROUTE}` }]);
  });

  it("leaves no secret in any span: neither the query nor a header", async () => {
    const secret = "s3cr3t-of-somebody";
    const server = await start();
    const url = `${server.url}/v1/stream/private?token=${secret}&reader_key=${secret}&offset=-1`;
    await fetch(url, { method: "PUT", headers: { ...TEXT, Authorization: `Bearer ${secret}`, "X-Other": secret } });
    await fetch(url, { headers: { Authorization: `Bearer ${secret}`, Cookie: `id=${secret}` } });
    await server.close();
    expect(collector.spans.length).toBeGreaterThanOrEqual(2);
    expect(JSON.stringify(collector.spans)).not.toContain("s3cr3t");
  });
});

it("a webhook begins a trace of its own, which its receiver continues, and says no more of the URL than the host", async () => {
  const received = Promise.withResolvers<string | undefined>();
  const hook = createHttpServer((request, response) => {
    received.resolve(request.headers["traceparent"] as string | undefined);
    response.end('{"done":true}');
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void hook.close());
  await once(hook, "listening");
  const { port } = hook.address() as AddressInfo;
  const server = await start();
  await fetch(`${server.url}/v1/stream/news`, { method: "PUT", headers: TEXT });
  const subscription = {
    type: "webhook",
    streams: ["news"],
    webhook: { url: `http://127.0.0.1:${port}/secret-path` },
  };
  const created = await fetch(`${server.url}/v1/stream/__ds/subscriptions/hook`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(subscription),
  });
  expect(created.status).toBe(201);
  await fetch(`${server.url}/v1/stream/news`, {
    method: "POST",
    headers: { ...TEXT, traceparent: TRACEPARENT },
    body: "x",
  });
  const traceparent = await received.promise;
  const deliveries = async () => (await fetch(`${server.url}/v1/stream/__ds/subscriptions/hook/deliveries`)).json();
  await expect.poll(deliveries).toMatchObject({ attempts: [{ status: 200 }] });
  await server.close();
  const [sent] = collector.spans.filter(({ kind }) => kind === "client");
  expect(sent).toMatchObject({
    name: "POST",
    parentSpanId: "",
    attributes: { "server.address": "127.0.0.1", "server.port": port, "http.response.status_code": 200 },
  });
  expect(traceparent).toBe(`00-${sent?.traceId}-${sent?.spanId}-01`);
  expect(sent?.traceId).not.toBe(TRACE);
  expect(JSON.stringify(sent)).not.toContain("secret-path");
});

describe("the metrics", () => {
  it("are those of /metrics, counted since the start", async () => {
    const server = await start({
      telemetry: { endpoint: `${collector.url}/`, metricsIntervalMs: 60_000, headers: { "x-key": "k" } },
      moreMetrics: async () => [
        { type: "gauge", name: "room_bytes", help: "", points: [{ labels: { a: "b" }, value: 7 }] },
      ],
    });
    await fetch(`${server.url}/v1/stream/a`, { method: "PUT", headers: TEXT });
    await fetch(`${server.url}/v1/stream/a`, { method: "POST", headers: TEXT, body: "x" });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    await server.close();
    const names = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    expect(new Set(collector.metrics.keys())).toEqual(names);
    expect(collector.requests.every((headers) => headers["x-key"] === "k")).toBe(true);
    expect(collector.metrics.get("durable_streams_requests_total")).toMatchObject({
      type: "sum",
      isMonotonic: true,
      isCumulative: true,
    });
    const posts = collector.metrics
      .get("durable_streams_requests_total")
      ?.points.find(({ attributes }) => attributes["method"] === "POST");
    expect(posts).toMatchObject({ value: 1, attributes: { method: "POST", live: "", status: "204" } });
    const durations = collector.metrics.get("durable_streams_request_duration_seconds");
    expect(durations).toMatchObject({ type: "histogram", unit: "s", isCumulative: true });
    const [point] = durations?.points ?? [];
    expect(point?.bucketCounts).toHaveLength((point?.bounds.length ?? 0) + 1);
    expect(point?.bucketCounts.reduce((sum, each) => sum + each, 0)).toBe(point?.value);
    expect(collector.metrics.get("room_bytes")).toMatchObject({ type: "gauge", unit: "By", points: [{ value: 7 }] });
  });

  it("are sent again and again while the server runs", async () => {
    await start({ telemetry: { endpoint: collector.url, metricsIntervalMs: 20 } });
    await vi.waitFor(() => expect(collector.requests.length).toBeGreaterThan(2));
    expect(collector.metrics.size).toBeGreaterThan(5);
  });
});

describe("a collector that cannot be used", () => {
  const briefly = () => ({ endpoint: collector.url, metricsIntervalMs: 20, flushMsMax: 50 });

  it.each(["down", "hung"] as const)("holds up neither a request nor the end of the server: %s", async (mode) => {
    collector.mode = mode;
    const server = await start({ telemetry: briefly() });
    await vi.waitFor(() => expect(collector.requests.length).toBeGreaterThan(0));
    expect((await fetch(`${server.url}/v1/stream/a`, { method: "PUT", headers: TEXT })).status).toBe(201);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    await server.close();
  });

  it("is named in one line of the log until it works again, without what its URL holds besides its host", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    collector.mode = "refusing";
    const endpoint = collector.url.replace("//", "//user:hidden@");
    const settings = { ...SETTINGS, LOG_LEVEL: "error" };
    const server = await start({ settings, telemetry: { ...briefly(), endpoint } });
    await vi.waitFor(() => expect(collector.requests.length).toBeGreaterThan(3));
    expect(warn).toHaveBeenCalledTimes(1);
    collector.mode = "up";
    await vi.waitFor(() => expect(collector.metrics.size).toBeGreaterThan(0));
    collector.mode = "refusing";
    await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(2));
    await server.close();
    const lines = warn.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
    const message = expect.stringMatching(`^Metrics cannot be sent to ${collector.url}: `) as string;
    expect(lines).toMatchObject([{ "log.level": "warn", message }, { message }]);
    expect(JSON.stringify(lines)).not.toContain("hidden");
  });

  it("is named as well if the server ends before the collector has answered", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    collector.mode = "hung";
    const settings = { ...SETTINGS, LOG_LEVEL: "error" };
    const server = await start({ settings, telemetry: { ...briefly(), metricsIntervalMs: 60_000 } });
    await server.close();
    expect(warn.mock.calls.join()).toContain(`${collector.url} did not answer in time`);
  });

  it("that takes metrics and no traces is named once, and not with each success of the other", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    collector.refusedPath = "/v1/traces";
    const settings = { ...SETTINGS, LOG_LEVEL: "error" };
    vi.stubEnv("OTEL_BSP_SCHEDULE_DELAY", "10");
    onTestFinished(() => void vi.unstubAllEnvs());
    const telemetry = { endpoint: collector.url, metricsIntervalMs: 20 };
    const server = await start({ settings, telemetry });
    const refused = (): number => collector.answers.filter((answer) => answer === "/v1/traces 400").length;
    for (let count = 1; count <= 3; count += 1) {
      await fetch(`${server.url}/healthz`);
      await vi.waitFor(() => expect(refused()).toBeGreaterThanOrEqual(count));
      const { length } = collector.answers;
      await vi.waitFor(() => expect(collector.answers.slice(length)).toContain("/v1/metrics 200"));
    }
    await server.close();
    expect(warn.mock.calls.map(String)).toEqual([
      expect.stringContaining(`Traces cannot be sent to ${collector.url}: `),
    ]);
  });
});
