/** An append, `kill -9` at once, a restart: its wake arrives, and nobody has touched the stream. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { countOf, DONE, startHook, type Hook } from "../src/hook.ts";
import { append, create, get, JSON_TYPE, nextOffset, send } from "../src/requests.ts";

/** Each stream is killed once. */
const KILLS = Number(process.env["KILLS"] ?? 3);
const VARS = { WEBHOOK_LOOPBACK: "allow" };
const TEST_MS_MAX = 120_000 + 15_000 * KILLS;

let dataDir: string;
let server: ServerProcess;
let hook: Hook;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "webhook-after-kill-"));
  hook = await startHook();
  hook.answer = () => DONE;
  server = await startServer({ dataDir, vars: VARS });
});

afterEach(async () => {
  hook.stop();
  await server.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

const root = (): string => `${server.url}/v1/stream`;

/** With the data of the one that was killed, and its port. */
async function restart(): Promise<void> {
  server = await startServer({ dataDir, vars: VARS, port: Number(new URL(server.url).port) });
}

async function killAndRestart(): Promise<void> {
  await server.kill9();
  await restart();
}

async function subscribe(id: string, more: object): Promise<void> {
  const body = JSON.stringify({ pattern: `${id}/*`, lease_ttl_ms: 2_000, ...more });
  expect((await send("PUT", `${root()}/__ds/subscriptions/${id}`, { headers: JSON_TYPE, body })).status).toBe(201);
}

/** The wake that an append caused, whose snapshot ends at that append. @param from how many deliveries do not count. */
function woken(path: string, tail: string, from = 0): Promise<unknown> {
  return hook.received((all) =>
    all.slice(from).some(({ wake }) => wake.streams.some((told) => told.path === path && told.tail_offset === tail)),
  );
}

it(
  `[IN18] what was acknowledged wakes a webhook after the restart, ${KILLS} of ${KILLS}`,
  { timeout: TEST_MS_MAX },
  async () => {
    const paths = Array.from({ length: KILLS }, (_, index) => `hook/${index}`);
    for (const path of paths) await create(`${root()}/${path}`, { headers: JSON_TYPE });
    await subscribe("hook", { type: "webhook", webhook: { url: hook.url } });
    for (const path of paths) await woken(path, nextOffset(await append(`${root()}/${path}`, "1", JSON_TYPE)));
    const waitedMs: number[] = [];
    for (const path of paths) {
      const tail = nextOffset(await append(`${root()}/${path}`, "2", JSON_TYPE));
      await killAndRestart();
      const startedAt = Date.now();
      await woken(path, tail);
      waitedMs.push(Date.now() - startedAt);
    }
    process.stdout.write(`woken after the restart, in ms: ${waitedMs.join(" ")}\n`);
    expect(waitedMs).toHaveLength(KILLS);
  },
);

it(
  `[IN18] a new stream that a pattern matches wakes a webhook after the restart, ${KILLS} of ${KILLS}`,
  { timeout: TEST_MS_MAX },
  async () => {
    await subscribe("new", { type: "webhook", webhook: { url: hook.url } });
    const waitedMs: number[] = [];
    for (let index = 0; index < KILLS; index += 1) {
      const path = `new/${index}`;
      // What arrives before the server dies is not taken.
      hook.answer = () => ({ status: 503, text: "" });
      await create(`${root()}/${path}`, { headers: JSON_TYPE });
      const tail = nextOffset(await append(`${root()}/${path}`, "1", JSON_TYPE));
      await server.kill9();
      const before = hook.deliveries.length;
      hook.answer = () => DONE;
      await restart();
      const startedAt = Date.now();
      await woken(path, tail, before);
      waitedMs.push(Date.now() - startedAt);
    }
    process.stdout.write(`woken by a new stream after the restart, in ms: ${waitedMs.join(" ")}\n`);
    expect(waitedMs).toHaveLength(KILLS);
  },
);

it(
  `[IN18] what was acknowledged wakes workers of pull-wake after the restart, ${KILLS} of ${KILLS}`,
  { timeout: TEST_MS_MAX },
  async () => {
    const paths = Array.from({ length: KILLS }, (_, index) => `pull/${index}`);
    for (const path of paths) await create(`${root()}/${path}`, { headers: JSON_TYPE });
    await create(`${root()}/wake`, { headers: JSON_TYPE });
    await subscribe("pull", { type: "pull-wake", wake_stream: "wake" });
    const isWoken = async (path: string): Promise<boolean> =>
      (JSON.parse((await get(`${root()}/wake?offset=-1`)).text) as { stream: string }[]).some(
        ({ stream }) => stream === path,
      );
    for (const path of paths) {
      expect((await append(`${root()}/${path}`, "1", JSON_TYPE)).status).toBe(204);
      await killAndRestart();
      await expect.poll(() => isWoken(path), { timeout: 30_000 }).toBe(true);
      const control = `${root()}/__ds/subscriptions/pull`;
      const claimed = await send("POST", `${control}/claim`, { headers: JSON_TYPE, body: '{"worker":"w"}' });
      const { token, wake_id, generation, streams } = JSON.parse(claimed.text) as {
        token: string;
        wake_id: string;
        generation: number;
        streams: { path: string; tail_offset: string }[];
      };
      const acks = streams.map(({ path: stream, tail_offset: offset }) => ({ stream, offset }));
      const headers = { ...JSON_TYPE, Authorization: `Bearer ${token}` };
      const body = JSON.stringify({ wake_id, generation, acks, done: true });
      expect((await send("POST", `${control}/ack`, { headers, body })).status).toBe(200);
    }
  },
);

it(
  "[WH8] a subscription goes on after a restart: for new appends, for a delivery that failed before, for new streams",
  { timeout: TEST_MS_MAX },
  async () => {
    for (const path of ["a/1", "a/2"]) await create(`${root()}/${path}`, { headers: JSON_TYPE });
    await subscribe("a", { type: "webhook", webhook: { url: hook.url } });
    await killAndRestart();
    await append(`${root()}/a/2`, "1", JSON_TYPE);
    await hook.received((all) => countOf(all, "a/2") > 0);
    hook.answer = () => ({ status: 500, text: "" });
    await append(`${root()}/a/1`, "1", JSON_TYPE);
    await hook.received((all) => countOf(all, "a/1") > 0);
    await killAndRestart();
    hook.answer = () => DONE;
    const before = hook.deliveries.length;
    await hook.received((all) => countOf(all.slice(before), "a/1") > 0);
    await create(`${root()}/a/3`, { headers: JSON_TYPE });
    await append(`${root()}/a/3`, "1", JSON_TYPE);
    const deliveries = await hook.received((all) => countOf(all, "a/3") > 0);
    expect(countOf(deliveries, "a/2")).toBe(1);
  },
);
