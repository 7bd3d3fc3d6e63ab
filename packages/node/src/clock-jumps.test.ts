/** A machine whose clock somebody puts an hour forward, or back: nothing is lost, doubled, or mistaken for something else. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { signToken } from "@durable-streams-cloudflare/testkit/token";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createServer, type RunningServer } from "./create-server.ts";
import type { StorageOptions } from "./storage/modes/options.ts";

const HOUR_MS = 3_600_000;
const JSON_TYPE = { "Content-Type": "application/json" };
const OPEN = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };

let server: RunningServer;
let dataDir: string;
let jumpMs: number;

beforeEach(() => {
  jumpMs = 0;
  dataDir = mkdtempSync(join(tmpdir(), "clock-jumps-"));
  const Machine = Date;
  const Jumping = class extends Machine {
    constructor(...at: readonly number[]) {
      super(...((at.length === 0 ? [Machine.now() + jumpMs] : at) as [number]));
    }

    static override now(): number {
      return Machine.now() + jumpMs;
    }
  };
  vi.stubGlobal("Date", Jumping);
});

afterEach(async () => {
  await server.close(0);
  vi.unstubAllGlobals();
  rmSync(dataDir, { recursive: true });
});

async function start(settings: Readonly<Record<string, string>> = OPEN, storage: StorageOptions = { mode: "memory" }) {
  server = await createServer({ storage, host: "127.0.0.1", port: 0, settings });
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

async function ask(method: string, path: string, { headers = {}, body }: Asked = {}) {
  const response = await fetch(`${server.url}/v1/stream/${path}`, {
    method,
    headers: { ...JSON_TYPE, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, offset: response.headers.get("Stream-Next-Offset") ?? "", text };
}

const FORWARD_AND_BACK = [
  [HOUR_MS, 0],
  [-HOUR_MS, 0],
] as const;

describe.each(FORWARD_AND_BACK)("by %i ms", (jump, back) => {
  it("appends, their order and their producers are not touched", async () => {
    await start();
    await ask("PUT", "s");
    const append = (seq: number) =>
      ask("POST", "s", {
        headers: { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": String(seq) },
        body: [seq],
      });
    const offsets: string[] = [];
    for (const [seq, ms] of [0, jump, back, jump].entries()) {
      jumpMs = ms;
      const sent = await append(seq);
      offsets.push(sent.offset);
      expect([sent.status, (await append(seq)).status]).toEqual([200, 204]);
    }
    expect(offsets).toEqual(offsets.toSorted());
    expect((await ask("GET", "s")).text).toBe("[0,1,2,3]");
  });

  it("a stream that is deleted and created again is another, and nothing of the first is there again", async () => {
    await start();
    const offsets: string[] = [];
    for (const [round, ms] of [0, jump, back, -jump].entries()) {
      jumpMs = ms;
      expect((await ask("PUT", "s", { body: [round] })).status).toBe(201);
      offsets.push((await ask("HEAD", "s")).offset);
      expect((await ask("GET", "s")).text).toBe(`[${round}]`);
      expect((await ask("DELETE", "s")).status).toBe(204);
      expect((await ask("GET", "s")).status).toBe(404);
    }
    expect(offsets).toEqual(offsets.toSorted());
    await ask("PUT", "s");
    for (const offset of offsets) expect((await ask("GET", `s?offset=${offset}`)).status).toBe(410);
  });

  it("a lease that is over by the clock is never held by two", async () => {
    await start();
    for (const stream of ["s", "wakes"]) await ask("PUT", stream);
    const pull = "__ds/subscriptions/pull";
    const body = { type: "pull-wake", streams: ["s"], wake_stream: "wakes", lease_ttl_ms: 30_000 };
    expect((await ask("PUT", pull, { body })).status).toBe(201);
    const { offset } = await ask("POST", "s", { body: [1] });
    const claim = async (worker: string) => {
      const { status, text } = await ask("POST", `${pull}/claim`, { body: { worker } });
      return {
        status,
        ...(JSON.parse(text) as { readonly token?: string; readonly wake_id?: string; readonly generation?: number }),
      };
    };
    await vi.waitFor(async () => expect(JSON.parse((await ask("GET", "wakes")).text)).toHaveLength(1));
    const first = await claim("first");
    expect(first.status).toBe(200);
    expect((await claim("second")).status).toBe(409);
    jumpMs = jump;
    const second = await claim("second");
    // Forward, the lease is over; back, it lasts as long as it says by the clock.
    expect(second.status).toBe(jump > 0 ? 200 : 409);
    jumpMs = back;
    const holder = jump > 0 ? second : first;
    const ack = (token = "") =>
      ask("POST", `${pull}/ack`, {
        headers: { Authorization: `Bearer ${token}` },
        body: { wake_id: holder.wake_id, generation: holder.generation, acks: [{ stream: "s", offset }], done: true },
      });
    const others = jump > 0 ? [first] : [];
    for (const { token, generation = Infinity } of others) {
      expect(second.generation).toBeGreaterThan(generation);
      expect((await ack(token)).status).toBeGreaterThanOrEqual(400);
    }
    expect((await ack(holder.token)).status).toBe(200);
  });
});

it("a lifetime is what the clock says, also a sliding one, and what is over and was cleared away stays so", async () => {
  await start();
  await ask("PUT", "fixed", { headers: { "Stream-Expires-At": new Date(Date.now() + HOUR_MS / 2).toISOString() } });
  await ask("PUT", "sliding", { headers: { "Stream-TTL": "1800" } });
  jumpMs = -HOUR_MS;
  for (const stream of ["fixed", "sliding"]) expect((await ask("GET", stream)).status).toBe(200);
  jumpMs = HOUR_MS;
  for (const stream of ["fixed", "sliding"]) expect((await ask("GET", stream)).status).toBe(404);
  // In the place of what is over another stream begins, with nothing of it.
  for (const stream of ["fixed", "sliding"]) expect((await ask("PUT", stream, { body: ["new"] })).status).toBe(201);
  jumpMs = 0;
  for (const stream of ["fixed", "sliding"]) expect((await ask("GET", stream)).text).toBe('["new"]');
});

it("a start with a clock that was put back goes on after the last write: a stream made anew is later than its predecessor", async () => {
  const storage = { mode: "file-durable", dataDir } as const;
  await start(OPEN, storage);
  await ask("PUT", "s");
  const { offset } = await ask("HEAD", "s");
  await ask("DELETE", "s");
  await server.close(0);
  jumpMs = -HOUR_MS;
  await start(OPEN, storage);
  await ask("PUT", "s");
  const again = await ask("HEAD", "s");
  expect(again.offset > offset).toBe(true);
  const directory = async (): Promise<string> => (await fetch(`${server.url}/v1/projects/default/streams`)).text();
  await vi.waitFor(async () => expect(await directory()).toContain('"s"'), { timeout: 20_000 });
});

it("a token expires by the clock, also one that was verified before", async () => {
  const secret = "s".repeat(32);
  await start({ TENANCY: "single", AUTH_MODE: "project", PROJECT_SECRET: secret, LOG_LEVEL: "off" });
  const claims = { sub: "default", scope: "write", exp: Math.floor(Date.now() / 1000) + 1_800 };
  const headers = { Authorization: `Bearer ${signToken(secret, claims)}` };
  const status = async (ms: number): Promise<number> => {
    jumpMs = ms;
    return (await ask("PUT", "s", { headers })).status;
  };
  expect([await status(0), await status(HOUR_MS), await status(-HOUR_MS), await status(0)]).toEqual([
    201, 401, 200, 200,
  ]);
});
