/** One publish to many sessions, and the server is killed half-way: every session has the message, once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { create, get, JSON_TYPE, send } from "../src/requests.ts";

/** `npm run test:publish-to-10000` sets it. */
const SESSIONS = Number(process.env["PUBLISH_SESSIONS"] ?? 60);
const CALLS = 16;
const POLL_MS = 5;
const TEST_MS_MAX = 120_000 + 200 * SESSIONS;
const MESSAGE = { text: "to all" };

let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "publish-once-"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

/** In the order in which a delivery pass reaches them. */
function sessionAt(index: number): string {
  return `session-${String(index).padStart(5, "0")}`;
}

async function eachSession(work: (session: string) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < SESSIONS) await work(sessionAt(next++));
  };
  await Promise.all(Array.from({ length: CALLS }, worker));
}

async function heldBy(url: string, session: string): Promise<unknown> {
  const { status, text } = await get(`${url}/v1/stream/${session}?offset=-1`);
  expect(status).toBe(200);
  return JSON.parse(text);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(POLL_MS);
}

it(
  `[IN14] one publish reaches ${SESSIONS} sessions, each once, although the server is killed half-way`,
  async () => {
    server = await startServer({ dataDir });
    const { url } = server;
    await create(`${url}/v1/stream/source`, { headers: JSON_TYPE });
    const began = performance.now();
    await eachSession(async (session) => {
      const body = JSON.stringify({ estuaryId: session });
      const { status } = await send("POST", `${url}/v1/estuary/subscribe/source`, { headers: JSON_TYPE, body });
      expect(status).toBe(200);
    });
    const subscribed = performance.now();

    const published = await send("POST", `${url}/v1/stream/source`, {
      headers: JSON_TYPE,
      body: JSON.stringify(MESSAGE),
    });
    expect(published.status).toBe(204);
    const hasIt = async (session: string): Promise<boolean> =>
      JSON.stringify(await heldBy(url, session)).includes("all");
    await until(() => hasIt(sessionAt(Math.floor(SESSIONS / 4))));
    await server.kill9();
    const killed = performance.now();
    server = await startServer({ dataDir, port: Number(new URL(url).port) });
    await until(() => hasIt(sessionAt(SESSIONS - 1)));
    const late: string[] = [];
    await eachSession(async (session) => {
      if (await hasIt(session)) return;
      late.push(session);
      await until(() => hasIt(session));
    });
    const arrived = performance.now();
    await eachSession(async (session) => expect(await heldBy(url, session)).toEqual([MESSAGE]));

    const seconds = (fromMs: number, toMs: number): string => ((toMs - fromMs) / 1_000).toFixed(1);
    process.stdout.write(
      `${SESSIONS} sessions: subscribed in ${seconds(began, subscribed)} s; published, killed after ` +
        `${seconds(subscribed, killed)} s, all delivered ${seconds(killed, arrived)} s later, ${late.length} after the last in order\n`,
    );
  },
  TEST_MS_MAX,
);
