import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { describe, expect, it, vi } from "vitest";

import { createEdge } from "./edge.ts";
import type { HttpRequest } from "./ports.ts";
import type { EdgePorts } from "./routing/edge-ports.ts";
import { OPEN, route } from "./routing/route.ts";

const config = parseConfig({ AUTH_MODE: "none", OPEN_TO: "everybody", LOG_LEVEL: "off" });
const edge = createEdge({ config, access: "everybody" } as EdgePorts);

/** A request as a host without `Request` makes it. */
function light(method: string, path: string, headers: Readonly<Record<string, string>> = {}): HttpRequest {
  return {
    method,
    url: `https://streams.example${path}`,
    headers: { get: (name) => headers[name] ?? null },
    body: null,
    bodyUsed: false,
    bytes: async () => new Uint8Array(),
    signal: new AbortController().signal,
  };
}

const answer = (request: HttpRequest) => edge.answer(request, { waitUntil: () => undefined });

it("a request is any object that has a request's few members, and an answer is plain data", async () => {
  expect(await answer(light("GET", "/healthz"))).toEqual({
    status: 200,
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*" },
    body: '{"status":"ok"}',
  });
});

it("HEAD is answered as GET without a body, refusals included", async () => {
  for (const path of ["/healthz", "/", "/v1/nothing"]) {
    const [get, head] = [await answer(light("GET", path)), await answer(light("HEAD", path))];
    expect(head.body).toBeNull();
    expect([head.status, Object.keys(head.headers)]).toEqual([get.status, Object.keys(get.headers)]);
  }
});

it("a body that is made bit by bit is cancelled when HEAD asks for it", async () => {
  const ended: unknown[] = [];
  const flowing = route(
    { method: "GET", path: "/flow", needs: "nothing", touches: [] },
    {
      guard: OPEN,
      handle: async () => {
        const body = new ReadableStream<Uint8Array>({ cancel: () => void ended.push("cancelled") });
        return { ok: true, answer: { status: 200, headers: {}, body } };
      },
    },
  );
  const own = createEdge({ config, access: "everybody" } as EdgePorts, [flowing]);
  const head = await own.answer(light("HEAD", "/flow"), { waitUntil: () => undefined });
  expect([head.status, head.body, ended]).toEqual([200, null, ["cancelled"]]);
});

it("what is not in the table is refused as a problem with the request's id", async () => {
  const refused = await answer(light("GET", "/v1/nothing", { "CF-Ray": "ray-1" }));
  expect([refused.status, refused.headers["Stream-Request-Id"]]).toEqual([404, "ray-1"]);
  expect(JSON.parse(refused.body as string)).toMatchObject({ code: "route-not-found", requestId: "ray-1" });
});

it("an answer's headers are its own: those of one request never show in another's", async () => {
  const first = await answer(light("GET", "/"));
  first.headers["X-Of-This-One"] = "1";
  expect(Object.keys((await answer(light("GET", "/"))).headers)).not.toContain("X-Of-This-One");
});

describe("the trace that a request belongs to", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";
  const CALLER = "b7ad6b7169203331";
  const logging = createEdge({ config: { ...config, logLevel: "info" }, access: "everybody" } as EdgePorts);

  /** The log line of one request. */
  async function lineOf(headers: Readonly<Record<string, string>>): Promise<Readonly<Record<string, unknown>>> {
    const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
    try {
      await logging.answer(light("GET", "/healthz", headers), { waitUntil: () => undefined });
      return JSON.parse(String(log.mock.lastCall?.[0])) as Record<string, unknown>;
    } finally {
      log.mockRestore();
    }
  }

  it("is in its log line, with an id of the server's own work", async () => {
    const line = await lineOf({ traceparent: `00-${TRACE}-${CALLER}-01` });
    expect(line["trace.id"]).toBe(TRACE);
    expect(line["span.id"]).toMatch(/^[0-9a-f]{16}$/);
    expect(line["span.id"]).not.toBe(CALLER);
  });

  it("is a new one if the caller names none, or an invalid one", async () => {
    const lines = [await lineOf({}), await lineOf({ traceparent: `00-${"0".repeat(32)}-${CALLER}-01` })];
    for (const line of lines) expect(line["trace.id"]).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(lines[0]?.["trace.id"]).not.toBe(lines[1]?.["trace.id"]);
  });
});

it("who watches requests learns the route's pattern, and neither the query nor what is not there", async () => {
  const seen: unknown[] = [];
  const watched = createEdge({
    config: { ...config, tenancy: "path" },
    access: "everybody",
    onRouted: (_, destination) => seen.push(destination),
  } as Partial<EdgePorts> as EdgePorts);
  for (const path of ["/healthz?token=x", "/v1/projects/acme", "/v1/nothing"]) {
    await watched.answer(light("GET", path), { waitUntil: () => undefined });
  }
  expect(seen).toEqual([
    { route: "/healthz", project: "", stream: undefined },
    { route: "/v1/projects/:project", project: "acme", stream: undefined },
    { route: undefined, project: "", stream: undefined },
  ]);
});
