/** Records spans for what leaves the process: requests to servers of others, and reads of cold segments. */

import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { Fetch } from "@durable-streams-cloudflare/http/outbound/bounded-fetch";
import { formatTraceparent } from "@durable-streams-cloudflare/http/tracing/trace-context";

import type { Tracing } from "./tracing.ts";

const TRACEPARENT = "traceparent";
const SAMPLED = 1;

/**
 * Sends each request with the position of its own span. A webhook, which begins a trace, begins one here as well. Of its URL
 * only the host is recorded: the rest may hold a secret.
 */
export function tracedFetch(send: Fetch, tracing: Tracing): Fetch {
  return (url, init) => {
    const { hostname, port, protocol } = new URL(url);
    const headers = init.headers as Readonly<Record<string, string>> | undefined;
    const attributes = {
      "server.address": hostname,
      "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
      "url.scheme": protocol.slice(0, -1),
    };
    const isRoot = headers?.[TRACEPARENT] !== undefined;
    return tracing.outbound(init.method ?? "GET", { attributes, isRoot }, ({ traceId, spanId, traceFlags }) => {
      const traceparent = formatTraceparent({ traceId, spanId, isSampled: (traceFlags & SAMPLED) === SAMPLED });
      return send(url, { ...init, headers: { ...headers, [TRACEPARENT]: traceparent } });
    });
  };
}

/** Records the reads of requests: from a file, from opening to closing it; from a bucket, until the answer begins. */
export function tracedSegments(store: SegmentStore, tracing: Tracing): SegmentStore {
  const { open } = store;
  return {
    put: (...put) => store.put(...put),
    get: (key, offset, length) =>
      tracing.child("segment.read", { "ds.segment.bytes": length }, () => store.get(key, offset, length)),
    ...(open === undefined ? {} : { open: (key: string) => openTraced(open, key, tracing) }),
    list: (prefix) => store.list(prefix),
    delete: (keys) => store.delete(keys),
  };
}

async function openTraced(
  open: NonNullable<SegmentStore["open"]>,
  key: string,
  tracing: Tracing,
): ReturnType<NonNullable<SegmentStore["open"]>> {
  const span = tracing.startChild("segment.read", {});
  try {
    const file = await open(key);
    if (file === undefined || span === undefined) {
      span?.end();
      return file;
    }
    let bytes = 0;
    return {
      read: async (target, offset) => {
        const read = await file.read(target, offset);
        bytes += read;
        return read;
      },
      close: async () => {
        span.setAttribute("ds.segment.bytes", bytes).end();
        await file.close();
      },
      isIntact: (block, offset) => file.isIntact(block, offset),
    };
  } catch (error) {
    span?.end();
    throw error;
  }
}
