import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { DEFAULT_SETTINGS } from "@durable-streams-cloudflare/core/contracts/project-record";
import { refuse } from "@durable-streams-cloudflare/protocol";
import { SignJWT } from "jose";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Granted } from "../auth/authorize.ts";
import { tokenClaims } from "../auth/claims-source.ts";
import { projectAuthorize } from "../auth/project-authorize.ts";
import { Registry } from "../auth/registry.ts";
import { Strangers } from "../limits/strangers.ts";
import { watchRight } from "./right-watch.ts";

const HEARTBEAT_MS = 15_000;
const READERS = 1_000;
const SECRET = "s".repeat(32);
const config = parseConfig({});
const granted: Granted = { ok: true, isPublic: false };

beforeEach(() => {
  vi.useFakeTimers({ now: 1_795_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Watches a right, and returns the notifications. */
function watched(again: Granted["again"]): { told: string[]; end: () => void } {
  const told: string[] = [];
  const right = again === undefined ? granted : { ...granted, again };
  return { told, end: watchRight({ config, granted: right }, ({ problem }) => told.push(problem.code)) };
}

it("[PJ9] a right that is taken back is noticed once, at the next heartbeat", async () => {
  let decision: Awaited<ReturnType<NonNullable<Granted["again"]>>> = granted;
  const { told } = watched(async () => decision);
  await vi.advanceTimersByTimeAsync(10 * HEARTBEAT_MS);
  expect(told).toEqual([]);
  decision = refuse("forbidden", "No more.");
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(told).toEqual(["forbidden"]);
  await vi.advanceTimersByTimeAsync(10 * HEARTBEAT_MS);
  expect(told).toEqual(["forbidden"]);
  expect(vi.getTimerCount()).toBe(0);
});

it("a read goes on while it is not known whether it may", async () => {
  const unavailable = watched(async () => refuse("unavailable", "KV is down."));
  const failing = watched(() => Promise.reject(new Error("KV is down.")));
  const hook = watched(undefined);
  await vi.advanceTimersByTimeAsync(10 * HEARTBEAT_MS);
  expect([unavailable.told, failing.told, hook.told]).toEqual([[], [], []]);
});

it("a watch that was ended reports nothing, also of what was asked before", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { told, end } = watched(async () => {
    await promise;
    return refuse("forbidden", "No more.");
  });
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  end();
  resolve();
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it("a thousand readers who ask again read the registry once in half a minute, all together", async () => {
  const record = {
    ...DEFAULT_SETTINGS,
    name: "p",
    createdAtMs: 0,
    secrets: [{ kid: "k", secret: SECRET, createdAtMs: 0 }],
    readUrlsFromMs: 0,
  };
  let text: string | null = JSON.stringify(record);
  let reads = 0;
  const get = async (): Promise<string | null> => {
    reads += 1;
    return text;
  };
  // There are more readers than strangers may ask: whoever was let in is none, also when all are refused at once.
  const authorize = projectAuthorize({
    registry: new Registry({ get }),
    strangers: new Strangers(10, false),
    claims: tokenClaims(),
  });
  const token = await new SignJWT({ sub: "p", scope: "read" })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(SECRET));
  const request = new Request("https://streams.example/v1/stream/p/s", {
    headers: { Authorization: `Bearer ${token}` },
  });
  const codes = new Map<string, number>();
  for (let count = 0; count < READERS; count += 1) {
    const decision = await authorize({ request, project: "p", stream: "s", scope: "read" });
    if (!decision.ok) throw new Error("The token is good.");
    watchRight({ config, granted: decision }, ({ problem: { code } }) => codes.set(code, (codes.get(code) ?? 0) + 1));
  }
  expect(reads).toBe(1);
  await vi.advanceTimersByTimeAsync(20 * HEARTBEAT_MS);
  expect(reads).toBeLessThanOrEqual(11);
  expect(codes.size).toBe(0);
  text = null;
  await vi.advanceTimersByTimeAsync(3 * HEARTBEAT_MS);
  expect([...codes]).toEqual([["unauthenticated", READERS]]);
});
