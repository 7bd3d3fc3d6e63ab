/** A publish, `kill -9` at once, a restart: the message is in the session, and nobody has touched the source. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { append, create, get, JSON_TYPE, send } from "../src/requests.ts";

/** `npm run test:session-after-kill` sets these: each source is killed once, after so many seconds of silence. */
const KILLS = Number(process.env["KILLS"] ?? 4);
const QUIET_SECONDS = Number(process.env["QUIET_SECONDS"] ?? 1);
/** What `docs/estuaries.md` promises, from the restart on. */
const LATE_MS_MAX = 5_000;
const POLL_MS = 50;
const TEST_MS_MAX = 120_000 + 1_000 * QUIET_SECONDS + 15_000 * KILLS;

let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "session-after-kill-"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

async function contentOf(url: string): Promise<string> {
  return (await get(`${url}?offset=-1`)).text;
}

/** Reads the session alone. @returns after how many ms it had the content; `undefined`: not in time. */
async function arrivalMs(session: string, content: string, sinceMs: number): Promise<number | undefined> {
  while (Date.now() - sinceMs <= LATE_MS_MAX) {
    if ((await contentOf(session)) === content) return Date.now() - sinceMs;
    await delay(POLL_MS);
  }
  return undefined;
}

it(
  `[IN18] what was acknowledged is in the session ${LATE_MS_MAX} ms after the restart, ${KILLS} of ${KILLS}`,
  async () => {
    server = await startServer({ dataDir });
    const { url } = server;
    const port = Number(new URL(url).port);
    const rooms = Array.from({ length: KILLS }, (_, index) => ({
      source: `${url}/v1/stream/room-${index}`,
      session: `${url}/v1/stream/user-${index}`,
      estuaryId: `user-${index}`,
    }));
    for (const [index, { source, session, estuaryId }] of rooms.entries()) {
      await create(source, { headers: JSON_TYPE });
      const body = JSON.stringify({ estuaryId });
      expect((await send("POST", `${url}/v1/estuary/subscribe/room-${index}`, { body })).status).toBe(200);
      await append(source, "1", JSON_TYPE);
      await expect.poll(() => contentOf(session), { timeout: 20_000 }).toBe("[1]");
    }
    await delay(1_000 * QUIET_SECONDS);
    const arrivals: (number | undefined)[] = [];
    for (const { source, session } of rooms) {
      expect((await append(source, "2", JSON_TYPE)).status).toBe(204);
      await server.kill9();
      server = await startServer({ dataDir, port });
      arrivals.push(await arrivalMs(session, "[1,2]", Date.now()));
    }
    expect(arrivals).not.toContain(undefined);
  },
  TEST_MS_MAX,
);
