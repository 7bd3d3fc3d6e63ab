/** A server with ORIGIN_SECRET serves nobody but its proxy. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

import { createDurableStreams } from "../../src/index.ts";

const SECRET = "a-secret-of-the-proxy-0123456789";
const STREAM = `/v1/stream/test/${crypto.randomUUID()}`;
const HEADER = "Stream-Origin-Secret";
const TEXT = { "Content-Type": "text/plain" };
const PRODUCER = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };

function send(path: string, init: RequestInit = {}, originSecret = SECRET): Promise<Response> {
  const vars = { TENANCY: "path", AUTH_MODE: "none", LOG_LEVEL: "off", ORIGIN_SECRET: originSecret };
  const request = new Request(`https://streams.example${path}`, init);
  return createDurableStreams().fetch(request, { ...env, ...vars }, createExecutionContext());
}

const WRONG: readonly (Record<string, string> | undefined)[] = [
  undefined,
  { [HEADER]: "" },
  { [HEADER]: SECRET.slice(0, -1) },
  { [HEADER]: `${SECRET}x` },
  { [HEADER]: SECRET.toUpperCase() },
  { [HEADER]: `${SECRET}, ${SECRET}` },
  { Authorization: `Bearer ${SECRET}` },
];

describe.each(WRONG)("with %j", (headers = {}) => {
  it.each(["PUT", "POST", "GET", "HEAD", "DELETE", "PATCH", "OPTIONS"])("%s is refused", async (method) => {
    const response = await send(STREAM, { method, headers: { ...TEXT, ...headers } });
    expect(response.status).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toBe(HEADER);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
    const text = await response.text();
    expect(text).toMatch(method === "HEAD" ? /^$/ : /"code":"proxy-required"/);
    expect(text).not.toContain(SECRET);
  });

  it.each(["/", "/v1/projects", "/v1/stream/", "/healthz/", "/healthz%20"])("%s is refused", async (path) =>
    expect((await send(path, { headers })).status).toBe(401),
  );

  it.each(["/healthz", "/readyz"])("[DG4] %s answers", async (path) => {
    expect((await send(path, { headers })).status).toBe(200);
  });
});

it("with the secret everything is as without one", async () => {
  const headers = { ...TEXT, [HEADER]: SECRET };
  expect((await send(STREAM, { method: "PUT", headers })).status).toBe(201);
  expect((await send(STREAM, { method: "POST", headers, body: "x" })).status).toBe(204);
  const response = await send(`${STREAM}?offset=-1`, { headers });
  expect([response.status, await response.text()]).toEqual([200, "x"]);
  expect((await send(STREAM, { method: "OPTIONS", headers })).status).toBe(204);
});

it("a producer is refused with 401, which it does not repeat for ever", async () => {
  const response = await send(STREAM, { method: "POST", headers: { ...TEXT, ...PRODUCER }, body: "x" });
  expect(response.status).toBe(401);
});

it("a server without a secret does not look at the header", async () => {
  const response = await send(STREAM, { method: "PUT", headers: { ...TEXT, [HEADER]: "x" } }, "");
  expect([200, 201]).toContain(response.status);
});
