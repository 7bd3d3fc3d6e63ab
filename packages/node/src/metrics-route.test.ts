/** `/metrics` of the server itself: who may read it, and that it says what the programs that run the server add. */

import { expect, it, onTestFinished } from "vitest";

import { createHandler, type Handler, type HandlerOptions } from "./create-handler.ts";

const ADMIN_SECRET = "a".repeat(32);
const ORIGIN = "http://localhost";

function handlerWith(settings: Readonly<Record<string, string>>, options: Partial<HandlerOptions> = {}): Handler {
  const handler = createHandler({
    storage: { mode: "memory" },
    settings: { TENANCY: "single", LOG_LEVEL: "off", ...settings },
    ...options,
  });
  onTestFinished(() => handler.close(0));
  return handler;
}

async function read(handler: Handler, headers: HeadersInit = {}, origin = ORIGIN): Promise<[number, string]> {
  const response = await handler(new Request(`${origin}/metrics`, { headers }));
  return [response.status, await response.text()];
}

it("without tokens, whoever may use the server reads its metrics, and nobody else", async () => {
  const handler = handlerWith({ AUTH_MODE: "none" });
  await handler(new Request(`${ORIGIN}/v1/stream/a`, { method: "PUT" }));
  const [status, text] = await read(handler);
  expect(status).toBe(200);
  expect(text).toContain('durable_streams_requests_total{method="PUT",live="",status="201"} 1\n');
  const foreign = [
    await read(handler, {}, "http://streams.example.com"),
    await read(handler, { "X-Forwarded-For": "203.0.113.1" }),
  ];
  expect(foreign.map(([each]) => each)).toEqual([421, 401]);
  expect(foreign.join()).not.toContain("durable_streams_");
});

it("with tokens, only ADMIN_SECRET opens them: they are about all projects", async () => {
  const handler = handlerWith({ AUTH_MODE: "project", ADMIN_SECRET, PROJECT_SECRET: "p".repeat(32) });
  const refused = [await read(handler), await read(handler, { Authorization: "Bearer wrong" })];
  expect(refused.map(([status]) => status)).toEqual([401, 401]);
  expect(refused.join()).not.toContain("durable_streams_");
  const [status, text] = await read(handler, { Authorization: `Bearer ${ADMIN_SECRET}` });
  expect([status, text]).toEqual([200, expect.stringContaining("durable_streams_requests_in_flight 1\n")]);
});

it("with a hook, which decides about streams only, or without ADMIN_SECRET, nobody reads them", async () => {
  const hooked = handlerWith({ AUTH_MODE: "none" }, { authorize: () => ({ ok: true, isPublic: false }) });
  const secretless = handlerWith({ AUTH_MODE: "project", PROJECT_SECRET: "p".repeat(32) });
  for (const handler of [hooked, secretless]) expect((await read(handler, { Authorization: "Bearer " }))[0]).toBe(401);
});

it("behind a proxy, they need its secret as well", async () => {
  const ORIGIN_SECRET = "o".repeat(32);
  const handler = handlerWith({ AUTH_MODE: "project", ADMIN_SECRET, ORIGIN_SECRET });
  const admin = { Authorization: `Bearer ${ADMIN_SECRET}` };
  const statuses = [
    await read(handler, admin),
    await read(handler, { ...admin, "Stream-Origin-Secret": ORIGIN_SECRET }),
  ];
  expect(statuses.map(([status]) => status)).toEqual([401, 200]);
});

it("they can only be read, and contain what the program that runs the server adds", async () => {
  const points = [{ labels: { room: "north" }, value: 21 }];
  const handler = handlerWith(
    { AUTH_MODE: "none" },
    { moreMetrics: async () => [{ type: "gauge", name: "temperature_celsius", help: "Temperature.", points }] },
  );
  const response = await handler(new Request(`${ORIGIN}/metrics`));
  expect([response.headers.get("Content-Type"), response.headers.get("Cache-Control")]).toEqual([
    "text/plain; version=0.0.4; charset=utf-8",
    "no-store",
  ]);
  expect(await response.text()).toContain('\ntemperature_celsius{room="north"} 21\n');
  expect((await handler(new Request(`${ORIGIN}/metrics`, { method: "POST" }))).status).toBe(405);
  expect(handler.metrics()).not.toContain("temperature");
});
