import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type { AttachResult } from "@durable-streams-cloudflare/core/contracts/stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Exchange } from "../exchange.ts";
import { LiveReads } from "./live-reads.ts";
import { SseSession } from "./sse-session.ts";

const NOW_MS = 1_795_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW_MS });
});

afterEach(() => {
  vi.useRealTimers();
});

it("a session ends when its token does, however long its process has been running", async () => {
  const exchange = {
    config: parseConfig({}),
    granted: { ok: true, isPublic: false, expiresAtMs: NOW_MS + 5_000 },
    liveReads: new LiveReads(),
    request: { signal: new AbortController().signal },
  } as unknown as Exchange;
  const result = {
    contentType: "text/plain",
    lineage: { incarnation: 1, forks: [] },
    lifetime: { kind: "forever" },
    status: "live",
    position: 0,
  } as unknown as AttachResult;
  const session = new SseSession(exchange, result, { member: undefined, reading: undefined, form: "text" }, null);
  let sent = "";
  let isClosed = false;
  session.body.start({
    enqueue: (piece: Uint8Array) => void (sent += new TextDecoder().decode(piece)),
    desiredSize: 1,
    close: () => void (isClosed = true),
    error: () => undefined,
  });
  await vi.advanceTimersByTimeAsync(4_999);
  expect(isClosed).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(isClosed).toBe(true);
  expect(sent).toContain("token-expired");
});
