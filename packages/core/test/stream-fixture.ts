import { KEEP_ALL, refuseNotFound, type Result } from "@durable-streams-cloudflare/protocol";
import { textOf, utf8 } from "@durable-streams-cloudflare/testkit";
import { FakeHost } from "@durable-streams-cloudflare/testkit/node-host";

import type { AppendCommand, CreateCommand, PeerApi } from "../src/contracts/stream.ts";
import type { Remaining } from "../src/stream/append/admission.ts";
import { LiveReaders } from "../src/stream/read/live-readers.ts";
import { Stream } from "../src/stream/stream.ts";
import { STREAM_SCHEMA } from "../src/stream/tables/schema.ts";
import { NodeDatabase } from "./node-database.ts";

export type Host = FakeHost<LiveReaders, PeerApi, NodeDatabase>;

export const START_MS = 1_800_000_000_000;
export const LIMITS = {
  readBytesMax: 2 ** 30,
  pendingBytesMax: 2 ** 25,
  pendingAppendsMax: 8_192,
  readersMax: 1_000,
  streamBytesMax: 0,
  sseSessionSeconds: 60,
  longPollTimeoutMs: 3_000,
  segmentBytes: 2 ** 23,
  segmentBytesMin: 2 ** 18,
  segmentAgeSeconds: 86_400,
};

/** Of a stream that may store as much as it likes. */
export const REMAINING: Remaining = { remaining: Infinity, refuse: refuseNotFound };

export function newHost(name?: string): Host {
  return new FakeHost((sockets) => new LiveReaders(sockets), new NodeDatabase(STREAM_SCHEMA), START_MS, name);
}

/** A stream's object on Node.js. On a host that had one before, it is what comes back after an eviction. */
export function streamOn(host: Host, limits: Partial<typeof LIMITS> = {}): Stream {
  return new Stream(host, { ...LIMITS, ...limits });
}

export function codeOf(result: Result<object>): string {
  return result.ok ? "ok" : result.problem.code;
}

export function createOf(more: Partial<CreateCommand> = {}): CreateCommand {
  return {
    contentType: "text/plain",
    lifetime: { kind: "forever" },
    retention: KEEP_ALL,
    closed: false,
    bytes: new Uint8Array(),
    ...more,
  };
}

export function appendOf(text: string, more: Partial<AppendCommand> = {}): AppendCommand {
  return { bytes: utf8(text), contentType: "text/plain", close: false, ...more };
}

/** What the stream has, as text. */
export function contentOf(stream: Stream): string {
  const result = stream.read({ from: { kind: "start" }, ifNoneMatch: null, paging: "bytes" });
  return result.ok ? textOf(result.page) : result.problem.code;
}
