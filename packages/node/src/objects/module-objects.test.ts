/** A module on this host: all that holds for it on every host, and what its data becomes of. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import { describeModules } from "@durable-streams-cloudflare/http/test/modules/module-suite";
import { describeSockets } from "@durable-streams-cloudflare/http/test/modules/socket-suite";
import { tally } from "@durable-streams-cloudflare/http/test/modules/tally";
import { expect, it, onTestFinished, vi } from "vitest";

import { createHandler, type Handler } from "../create-handler.ts";
import { HeldServer } from "../testing/held-server.ts";
import { serveModules } from "../testing/module-service.ts";

const OPEN = { TENANCY: "single", AUTH_MODE: "none", LOG_LEVEL: "off" };

describeModules({ serve: serveModules });
describeSockets({ serve: serveModules });

/** A data directory, and how to serve it with whatever modules. */
function directory() {
  const dataDir = mkdtempSync(join(tmpdir(), "module-data-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const serve = async <T>(modules: readonly Module[], work: (handler: Handler) => Promise<T>): Promise<T> => {
    const handler = createHandler({ storage: { mode: "file-durable", dataDir }, modules, settings: OPEN });
    try {
      return await work(handler);
    } finally {
      await handler.close();
    }
  };
  return { dataDir, serve };
}

/** How many alarms are set aside in a data directory that no server has open. */
function aside(dataDir: string): number {
  const database = new DatabaseSync(join(dataDir, "streams.sqlite"));
  try {
    return Number(database.prepare("SELECT COUNT(*) AS count FROM alarms_aside").get()?.["count"]);
  } finally {
    database.close();
  }
}

const ask = (handler: Handler, path: string, init?: RequestInit): Promise<Response> =>
  handler(new Request(`http://localhost${path}`, init));
const check = async (handler: Handler, body: object): Promise<unknown> =>
  (await ask(handler, "/v1/tally/check", { method: "POST", body: JSON.stringify(body) })).json();

it("a server without the module leaves its data and its alarms alone, until it has the module again", async () => {
  const { dataDir, serve } = directory();
  await serve([tally], async (handler) => {
    await ask(handler, "/v1/stream/a", { method: "PUT" });
    await ask(handler, "/v1/tally/streams/a");
    expect(await check(handler, { stream: "a", expireAfterMs: 300_000 })).toEqual({ count: 1 });
  });
  // From here on it is due.
  const laterMs = Date.now() + 400_000;
  vi.spyOn(Date, "now").mockReturnValue(laterMs);
  onTestFinished(() => void vi.restoreAllMocks());
  await serve([], async (handler) => {
    expect((await ask(handler, "/v1/tally/streams/a")).status).toBe(404);
    expect((await ask(handler, "/v1/stream/a")).status).toBe(200);
    expect(handler.metrics()).not.toContain("tally");
  });
  expect(aside(dataDir)).toBe(1);
  await serve([tally], async (handler) => {
    await vi.waitFor(async () => expect(await check(handler, { stream: "a" })).toEqual({ count: 0 }));
  });
  expect(aside(dataDir)).toBe(0);
});

it("counts what the module counts, and its objects", async () => {
  await directory().serve([tally], async (handler) => {
    await ask(handler, "/v1/stream/a", { method: "PUT" });
    await ask(handler, "/v1/tally/streams/a");
    expect(handler.metrics()).toContain("durable_streams_tally_adds_total 1\n");
    expect(handler.metrics()).toContain('durable_streams_objects_loaded{kind="module_tally"} 1\n');
  });
});

it("refuses to start with a setting of a module that is out of its bounds", () => {
  const open = (): Handler =>
    createHandler({ storage: { mode: "memory" }, modules: [tally], settings: { ...OPEN, TALLY_MAX: "many" } });
  expect(open).toThrow("Module tally: The configuration is invalid:\n- TALLY_MAX must be a whole number from 0 to");
});

it("nothing of a module's object leaves it before it is durable", async () => {
  await using held = await HeldServer.start({ modules: [tally] });
  await held.put("a");
  const { url } = held.server;
  held.hold();
  let isAnswered = false;
  const added = fetch(`${url}/v1/tally/streams/a`).then((response) => {
    isAnswered = true;
    return response.json();
  });
  await held.isHeld();
  const looked = fetch(`${url}/v1/tally/check`, { method: "POST", body: '{"stream":"a"}' }).then((response) => {
    isAnswered = true;
    return response.json();
  });
  // This passes no gate: by the time that it is answered, the others would have been.
  await fetch(`${url}/v1/tally`);
  expect(isAnswered).toBe(false);
  held.release();
  expect(await Promise.all([added, looked])).toEqual([{ tail: 0, count: 1 }, { count: 1 }]);
});

it("what was not durable when the power was cut was not acknowledged, and is gone", async () => {
  await using held = await HeldServer.start({ modules: [tally] });
  await held.put("a");
  held.keepSnapshots();
  const add = (server: HeldServer): Promise<Response> => fetch(`${server.server.url}/v1/tally/streams/a`);
  expect(await (await add(held)).json()).toEqual({ tail: 0, count: 1 });
  held.hold();
  const lost = add(held).then(
    ({ status }) => status,
    () => "cut",
  );
  await held.isHeld();
  await using after = await held.cutPower({});
  expect(["cut", 500, 503]).toContain(await lost);
  expect(await (await add(after)).json()).toEqual({ tail: 0, count: 2 });
});
