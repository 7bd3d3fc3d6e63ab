/** A module is served like the server's own routes: judged, limited, logged, and found by its table. */
import type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
import {
  ADMIN,
  describeModules,
  type ModuleHost,
  type ModuleService,
  type Upgraded,
} from "@durable-streams-cloudflare/http/test/modules/module-suite";
import { describeSockets, Received } from "@durable-streams-cloudflare/http/test/modules/socket-suite";
import { tally } from "@durable-streams-cloudflare/http/test/modules/tally";
import { createExecutionContext, evictAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";

import { ConfigError, createDurableStreams, moduleObject } from "../../src/index.ts";
import { problemCode } from "./edge.ts";

type Bindings = typeof env;

function newService(modules: readonly Module[] = [tally], vars: Readonly<Record<string, unknown>> = {}): ModuleService {
  const server = createDurableStreams<Bindings>({ modules });
  let calls = 0;
  const counting = (binding: "STREAMS" | "PROJECTS" | "TALLIES") => ({
    getByName: (name: string) => {
      calls += 1;
      return env[binding].getByName(name);
    },
  });
  const bindings = {
    ...env,
    STREAMS: counting("STREAMS"),
    PROJECTS: counting("PROJECTS"),
    TALLIES: counting("TALLIES"),
    TENANCY: "path",
    AUTH_MODE: "project",
    LOG_LEVEL: "off",
    ADMIN_SECRET: ADMIN,
    ...vars,
  } as unknown as Bindings;
  return {
    calls: () => {
      const before = calls;
      calls = 0;
      return before;
    },
    fetch: (path, init) =>
      server.fetch(new Request(`https://streams.example${path}`, init), bindings, createExecutionContext()),
    restart: () => evictAllDurableObjects(),
    hibernate: () => evictAllDurableObjects({ webSockets: "hibernate" }),
    upgrade: async (path, headers) => {
      const request = new Request(`https://streams.example${path}`, { headers: { Upgrade: "websocket", ...headers } });
      return upgraded(await server.fetch(request, bindings, createExecutionContext()));
    },
    close: async () => undefined,
  };
}

async function upgraded(response: Response): Promise<Upgraded> {
  const { status, headers, webSocket } = response;
  if (webSocket === null) return { status, code: await problemCode(response) };
  const received = new Received();
  const closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  webSocket.addEventListener("message", ({ data }) => received.push(String(data)));
  webSocket.addEventListener("close", ({ code, reason }) => {
    received.end();
    closed.resolve({ code, reason });
  });
  webSocket.accept();
  const socket = {
    protocol: headers.get("Sec-WebSocket-Protocol") ?? "",
    send: (message: string) => webSocket.send(message),
    close: () => webSocket.close(1000),
    next: () => received.next(),
    closed: closed.promise,
  };
  return { status, socket };
}

afterEach(() => void vi.restoreAllMocks());

const HOST: ModuleHost = { serve: async (modules, vars) => newService(modules, vars) };
describeModules(HOST);
describeSockets(HOST);

it("a fault of an object is answered without telling why", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const broken = newService([tally], {
    TENANCY: "single",
    AUTH_MODE: "none",
    TALLIES: { getByName: () => ({ call: () => Promise.reject(new Error("secret")) }) },
  });
  const fault = await broken.fetch("/v1/tally/streams/a", { method: "DELETE" });
  expect([fault.status, (await fault.text()).includes("secret")]).toEqual([500, false]);
});

describe("what a module needs of the Worker", () => {
  const server = createDurableStreams<Bindings>({ modules: [tally] });

  it("is told before anything is served, with how to bind it", async () => {
    const unbound = newService([tally], { TALLIES: undefined });
    await expect(unbound.fetch("/healthz")).rejects.toThrow(ConfigError);
    expect(() => server.check({ ...env, TALLIES: undefined })).toThrow(
      'The module tally needs objects that are bound as TALLIES. In the Worker, export a class made by moduleObject(module, "TALLIES").',
    );
    expect(() => server.check(env)).not.toThrow();
  });

  it("is told where a setting is out of its bounds, by either of its names", () => {
    expect(() => server.check({ ...env, TALLY_MAX: "-1" })).toThrow(
      'TALLY_MAX must be a whole number from 0 to 1000000, but it is "-1".',
    );
    expect(() => server.check({ ...env, TALLY_MAX: undefined, DS_TALLY__MAX: "x" })).toThrow(
      "DS_TALLY__MAX must be a whole number",
    );
    expect(() => server.check({ ...env, TALLY_MAX: "1", DS_TALLY__MAX: "1" })).toThrow("are the same setting");
  });

  it("is a class of its own objects", () => {
    expect(() => moduleObject(tally, "STREAMS")).toThrow("Module tally has no objects STREAMS.");
  });
});
