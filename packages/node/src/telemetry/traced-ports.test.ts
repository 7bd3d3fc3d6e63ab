/** What reads of cold segments and requests to servers of others leave in a trace. */

import type { SegmentFile, SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";
import * as api from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { beforeEach, describe, expect, it } from "vitest";

import { tracedFetch, tracedSegments } from "./traced-ports.ts";
import { Tracing } from "./tracing.ts";

let exporter: InMemorySpanExporter;
let tracing: Tracing;

beforeEach(() => {
  exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  tracing = new Tracing(api, provider.getTracer("test"));
});

const named = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name);

/** Does something for a request. */
async function inRequest(work: () => Promise<unknown>): Promise<ReadableSpan | undefined> {
  const request = { method: "GET", url: "http://localhost/", headers: new Headers() } as unknown as HttpRequest;
  await tracing.serve(request, async () => {
    await work();
    return { status: 200, headers: {}, body: null };
  });
  return exporter.getFinishedSpans().find(({ kind }) => kind === api.SpanKind.SERVER);
}

describe("a read of a cold segment", () => {
  const block = new Uint8Array(8);
  let closed: number;
  let deleted: readonly string[];
  let file: SegmentFile | undefined;
  let store: SegmentStore;
  beforeEach(() => {
    closed = 0;
    deleted = [];
    file = {
      read: async (target, offset) => Math.min(target.length, 12 - offset),
      close: async () => void (closed += 1),
      isIntact: (bytes, offset) => bytes === block && offset === 8,
    };
    store = {
      put: async () => true,
      get: async () => undefined,
      open: async () => file,
      list: async (prefix) => [`${prefix}/one`],
      delete: async (keys) => void (deleted = keys),
    };
  });

  it("is a span from opening its file to closing it, with the bytes that were read", async () => {
    const traced = tracedSegments(store, tracing);
    const request = await inRequest(async () => {
      const opened = await traced.open?.("key");
      expect([await opened?.read(block, 0), await opened?.read(block, 8)]).toEqual([8, 4]);
      expect(opened?.isIntact(block, 8)).toBe(true);
      expect(named("segment.read")).toEqual([]);
      await opened?.close();
    });
    expect(closed).toBe(1);
    const [span, ...more] = named("segment.read");
    expect([span?.parentSpanContext?.spanId, span?.attributes, more]).toEqual([
      request?.spanContext().spanId,
      { "ds.segment.bytes": 12 },
      [],
    ]);
  });

  it("is a span as well if there is no such file, or it cannot be opened", async () => {
    file = undefined;
    await inRequest(async () => expect(await tracedSegments(store, tracing).open?.("key")).toBeUndefined());
    const broken = { ...store, open: () => Promise.reject(new Error("broken")) };
    await expect(inRequest(async () => tracedSegments(broken, tracing).open?.("key"))).rejects.toThrow("broken");
    expect(named("segment.read")).toHaveLength(2);
  });

  it("from a bucket is a span until the answer begins, and nothing else of the store changes", async () => {
    const { open: _, ...bucket } = store;
    const traced = tracedSegments(bucket, tracing);
    expect(traced.open).toBeUndefined();
    await inRequest(() => traced.get("key", 0, 64));
    expect(named("segment.read").map(({ attributes }) => attributes)).toEqual([{ "ds.segment.bytes": 64 }]);
    expect(await traced.list("a")).toEqual(["a/one"]);
    await traced.delete(["b"]);
    expect(deleted).toEqual(["b"]);
  });

  it("for nobody, such as one of an alarm, is not recorded", async () => {
    const traced = tracedSegments(store, tracing);
    const opened = await traced.open?.("key");
    await opened?.close();
    await traced.get("key", 0, 64);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

describe("a request to a server of somebody else", () => {
  const URL_OF_KEYS = "https://issuer.example.com/keys?secret=1";
  let sent: Headers;
  const send = async (_: string, { headers }: RequestInit): Promise<Response> => {
    sent = new Headers(headers);
    return new Response(null, { status: 204 });
  };

  it("made for a request is below it, and passes its trace on", async () => {
    const request = await inRequest(() => tracedFetch(send, tracing)(URL_OF_KEYS, { headers: { Accept: "json" } }));
    const [span] = exporter.getFinishedSpans().filter(({ kind }) => kind === api.SpanKind.CLIENT);
    const { traceId, spanId } = span?.spanContext() ?? {};
    expect(traceId).toBe(request?.spanContext().traceId);
    expect(span?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect([sent.get("traceparent"), sent.get("accept")]).toEqual([`00-${traceId}-${spanId}-01`, "json"]);
    expect(span?.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 204,
      "server.address": "issuer.example.com",
      "server.port": 443,
      "url.scheme": "https",
    });
  });

  it("that begins a trace has a link to the request that it is made for", async () => {
    const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
    const init = { method: "POST", headers: { traceparent } };
    const request = await inRequest(() => tracedFetch(send, tracing)("http://hooks.example.com:8080/", init));
    const [span] = named("POST");
    expect(span?.parentSpanContext).toBeUndefined();
    expect(span?.links.map(({ context }) => context.spanId)).toEqual([request?.spanContext().spanId]);
    expect(sent.get("traceparent")).toContain(span?.spanContext().traceId);
    expect(span?.attributes["server.port"]).toBe(8080);
  });

  it("that fails is an error with its type, and never with its message", async () => {
    const fail = () => Promise.reject(new TypeError("a secret"));
    await expect(tracedFetch(fail, tracing)(URL_OF_KEYS, {})).rejects.toThrow("a secret");
    const [span] = named("GET");
    expect([span?.status, span?.attributes["error.type"]]).toEqual([{ code: api.SpanStatusCode.ERROR }, "TypeError"]);
    expect(span?.events).toEqual([]);
  });
});
