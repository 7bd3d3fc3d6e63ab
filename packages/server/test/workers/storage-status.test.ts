/** A host whose disk is full or broken: what would store more is refused, deletions go on, and probes tell the truth. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";

import { createDurableStreams, type StorageFault } from "../../src/index.ts";

const FULL: StorageFault = { isFull: true, detail: "The disk is full." };
const BROKEN: StorageFault = { isFull: false, detail: "The data directory is not writable: EROFS." };
const TEXT = { "Content-Type": "text/plain" };
const STREAM = `/v1/stream/test/${crypto.randomUUID()}`;

let fault: StorageFault | undefined;
/** How many bytes were asked for, and `now` where it was looked at anew. */
let asked: (number | "now")[];

const server = createDurableStreams({
  storage: {
    fault: async (bytes = 0) => {
      asked.push(bytes);
      return fault;
    },
    faultNow: async () => {
      asked.push("now");
      return fault;
    },
  },
});

beforeEach(() => {
  fault = undefined;
  asked = [];
});

function send(method: string, path: string, init: RequestInit = {}, more: object = {}): Promise<Response> {
  const bindings = { ...env, TENANCY: "path", AUTH_MODE: "none", LOG_LEVEL: "off", APPEND_BYTES_MAX: "10000", ...more };
  const request = new Request(`https://streams.example${path}`, { method, ...init });
  return server.fetch(request, bindings, createExecutionContext());
}

const put = (path = STREAM): Promise<Response> => send("PUT", path, { headers: TEXT });
const post = (body: string, headers = {}): Promise<Response> =>
  send("POST", STREAM, { headers: { ...TEXT, ...headers }, body });

async function problemOf(response: Response): Promise<object> {
  return response.json<object>();
}

describe("on a full disk", () => {
  it("[DU2] nothing is stored, and the answer says so; reads and deletions go on, and it heals by itself", async () => {
    await put();
    expect((await post("kept")).status).toBe(204);
    fault = FULL;
    for (const response of [await post("x"), await put(`${STREAM}-new`), await put()]) {
      expect(response.status).toBe(507);
      expect(response.headers.get("Retry-After")).toBe("5");
      expect(await problemOf(response)).toMatchObject({ code: "storage-full", effects: "none", detail: FULL.detail });
    }
    expect(await (await send("GET", STREAM)).text()).toBe("kept");
    expect((await send("HEAD", `${STREAM}-new`)).status).toBe(404);
    expect((await send("DELETE", STREAM)).status).toBe(204);
    fault = undefined;
    expect((await put()).status).toBe(201);
  });

  it("[DU2] what ends something is let through", async () => {
    fault = FULL;
    for (const verb of ["ack", "release", "callback"]) {
      const response = await send("POST", `/v1/stream/test/__ds/subscriptions/s/${verb}`, {
        headers: TEXT,
        body: "{}",
      });
      expect(response.status).not.toBe(507);
    }
    expect((await send("POST", "/v1/projects", { body: "{}" })).status).toBe(507);
  });

  it.each(["/healthz", "/readyz"])("[DG4] %s tells the truth", async (path) => {
    expect((await send("GET", path)).status).toBe(200);
    expect((await send("POST", path)).status).toBe(405);
    fault = FULL;
    const response = await send("GET", path);
    const isReadiness = path === "/readyz";
    expect(response.status).toBe(isReadiness ? 503 : 200);
    expect(await response.json()).toEqual(
      isReadiness ? { status: "unavailable", reason: FULL.detail } : { status: "ok" },
    );
    const head = await send("HEAD", path);
    expect([head.status, await head.text(), head.headers.get("Cache-Control")]).toEqual([
      response.status,
      "",
      "no-store",
    ]);
  });
});

it("a disk that cannot be written is not called full", async () => {
  fault = BROKEN;
  const response = await post("x");
  expect(response.status).toBe(503);
  expect(await problemOf(response)).toMatchObject({
    code: "storage-unavailable",
    effects: "none",
    detail: BROKEN.detail,
  });
});

it("the host learns how much is about to be stored: at most, where the request does not say", async () => {
  await put();
  await post("x".repeat(100), { "Content-Length": "100" });
  await post("x".repeat(100), { "Content-Length": "100", "Content-Encoding": "gzip" });
  await send("DELETE", STREAM);
  await send("GET", STREAM);
  const [created, plain, compressed, deleted, ...others] = asked;
  expect(Number(plain) - Number(created)).toBe(100);
  expect(Number(compressed) - Number(created)).toBe(10_000);
  expect([deleted, others]).toEqual([0, []]);
});

describe("a write that fails", () => {
  const getByName = () => ({ remove: () => Promise.reject(new Error("SQLITE_FULL")) });
  const failing = { STREAMS: { getByName, idFromName: (name: string) => env.STREAMS.idFromName(name) } };

  it("[DU2] because the disk is full says so, and does not claim that nothing was done", async () => {
    fault = FULL;
    const response = await send("DELETE", STREAM, {}, failing);
    expect(response.status).toBe(503);
    expect(await problemOf(response)).toMatchObject({ code: "unavailable", effects: "unknown", detail: FULL.detail });
    expect(asked.at(-1)).toBe("now");
  });

  it("because too many objects are in use was not sent at all", async () => {
    const unsent = Object.assign(new Error("too many"), { unsent: true });
    const stub = new Proxy({}, { get: () => () => Promise.reject(unsent) });
    const full = { PROJECTS: { getByName: () => stub } };
    const response = await send("GET", "/v1/projects/p/streams", {}, full);
    expect([response.status, await problemOf(response)]).toEqual([
      503,
      expect.objectContaining({ code: "overloaded", effects: "none" }),
    ]);
  });

  it("for another reason stays a fault of the server", async () => {
    const response = await send("DELETE", STREAM, {}, failing);
    expect([response.status, await problemOf(response)]).toEqual([500, expect.objectContaining({ code: "internal" })]);
  });
});
