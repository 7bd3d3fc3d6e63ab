import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { S3_CREDENTIALS, startS3Server, type S3Server } from "@durable-streams-cloudflare/testkit/s3-server";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";

import { createHandler, createHandlerWithReady, type Handler, type HandlerOptions } from "./create-handler.ts";
import type { S3Options } from "./storage/segments/s3/s3-options.ts";
import { SharedDatabase } from "./storage/shared-database.ts";

const root = mkdtempSync(join(tmpdir(), "node-handler-"));
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

const SETTINGS = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
const BASE = "/api/streams";
const ORIGIN = `http://localhost${BASE}`;
const TEXT = { "Content-Type": "text/plain" };

function handlerIn(options: Partial<HandlerOptions> = {}): Handler {
  const handler = createHandler({ storage: { mode: "memory" }, settings: SETTINGS, basePath: BASE, ...options });
  onTestFinished(() => handler.close(0));
  return handler;
}

/** A server of node:http, with what is in front of the handler. */
async function listening(listener: RequestListener): Promise<string> {
  const server = createHttpServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const put = (path: string, body?: string): Request =>
  new Request(`${ORIGIN}/v1/stream/${path}`, { method: "PUT", headers: TEXT, ...(body === undefined ? {} : { body }) });
const get = (path: string): Request => new Request(`${ORIGIN}/v1/stream/${path}`);

describe("a fetch handler below a path", () => {
  it("stores, reads and follows a stream", async () => {
    const handler = handlerIn();
    const created = await handler(put("a", "one"));
    expect([created.status, created.headers.get("Location")]).toEqual([201, `${ORIGIN}/v1/stream/a`]);
    expect(await (await handler(get("a"))).text()).toBe("one");
    const waiting = handler(get("a?offset=now&live=long-poll"));
    await handler(new Request(get("a"), { method: "POST", headers: TEXT, body: "two" }));
    expect(await (await waiting).text()).toBe("two");
    const head = await handler(new Request(get("a"), { method: "HEAD" }));
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("gives each response headers of its own, whatever a framework has put in the place of Response", async () => {
    vi.stubGlobal(
      "Response",
      class extends Response {
        readonly given: unknown;
        constructor(body: BodyInit | null, init: ResponseInit) {
          super(body, init);
          this.given = init.headers;
        }
      },
    );
    onTestFinished(() => void vi.unstubAllGlobals());
    const handler = handlerIn();
    const responses = [await handler(put("own", "x")), await handler(get("own")), await handler(get("missing"))];
    expect(new Set(responses.map((response) => (response as unknown as { given: unknown }).given)).size).toBe(3);
  });

  it("gives out URLs below the path, by whatever form it tells one", async () => {
    const handler = handlerIn({ settings: { ...SETTINGS, OPEN_TO: "everybody" } });
    const unknownHost = new Request(`http://shop.example${BASE}/v1/stream/b`, { method: "PUT", headers: TEXT });
    expect((await handler(unknownHost)).headers.get("Location")).toBe(`${BASE}/v1/stream/b`);
    const home = (await (await handler(new Request(ORIGIN))).json()) as object;
    expect(home).toMatchObject({ streams: `${BASE}/v1/stream/`, health: `${BASE}/healthz` });
    const page = await handler(new Request(ORIGIN, { headers: { Accept: "text/html" } }));
    expect(await page.text()).toContain(`href="${BASE}/readyz"`);
  });

  it("serves a request from which the framework has removed the path", async () => {
    const handler = handlerIn();
    const request = new Request("http://localhost/v1/stream/c", { method: "PUT", headers: TEXT });
    expect((await handler(request)).headers.get("Location")).toBe(`${ORIGIN}/v1/stream/c`);
  });

  it("sends a body no faster than it is read, and lets go of it when its reader has gone", async () => {
    const handler = handlerIn();
    await handler(put("d"));
    const response = await handler(get("d?offset=-1&live=sse"));
    expect(handler.metrics()).toContain("durable_streams_live_reads 1\n");
    await response.body?.cancel();
    await expect.poll(() => handler.metrics()).toContain("durable_streams_live_reads 0\n");
  });

  it("says how to mount it when the body was read before", async () => {
    const handler = handlerIn();
    const request = put("e", "read already");
    await request.text();
    const response = await handler(request);
    expect([response.status, await response.json()]).toEqual([
      500,
      expect.objectContaining({ code: "internal", hint: expect.stringContaining("before every body parser") }),
    ]);
  });

  it("asks the application's hook who may do what", async () => {
    const handler = handlerIn({
      settings: { ...SETTINGS, AUTH_MODE: "project" },
      authorize: ({ request, stream, scope }) =>
        request.headers.get("X-User") === "ann"
          ? { ok: true, isPublic: false }
          : { ok: false, problem: { code: "forbidden", detail: `${scope} ${stream}` } },
    });
    expect(await (await handler(put("f"))).json()).toMatchObject({ code: "forbidden", detail: "write f" });
    const asAnn = new Request(put("f"), { headers: { ...TEXT, "X-User": "ann" } });
    expect((await handler(asAnn)).status).toBe(201);
  });
});

describe("a handler for requests of Node.js", () => {
  it("is mounted below a path, and streams live reads", async () => {
    const handler = handlerIn();
    const url = `${await listening(handler.node)}${BASE}/v1/stream/a`;
    const created = await fetch(url, { method: "PUT", headers: TEXT, body: "one" });
    expect([created.status, created.headers.get("Location")]).toEqual([201, url]);
    const response = await fetch(`${url}?offset=-1&live=sse`);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("data:one")) text += (await reader?.read())?.value ?? "";
    await reader?.cancel();
    // The disconnect has reached the stream.
    await expect.poll(() => handler.metrics()).toContain("durable_streams_live_reads 0\n");
  });

  it("says how to mount it when a body parser has read the body", async () => {
    const handler = handlerIn();
    const url = await listening((request, response) => {
      request.resume().on("end", () => handler.node(request, response));
    });
    const response = await fetch(`${url}${BASE}/v1/stream/a`, { method: "PUT", headers: TEXT, body: "read already" });
    expect([response.status, await response.json()]).toEqual([
      500,
      expect.objectContaining({ hint: expect.stringContaining("express.json()") }),
    ]);
    // Without a body there is nothing that it could have read.
    expect((await fetch(`${url}${BASE}/v1/stream/a`, { method: "PUT", headers: TEXT })).status).toBe(201);
  });
});

it("several handlers in one process have directories of their own, and a directory has one handler", async () => {
  const storageIn = (name: string) => ({ mode: "file-durable", dataDir: join(root, name) }) as const;
  const [one, other] = [handlerIn({ storage: storageIn("one") }), handlerIn({ storage: storageIn("other") })];
  await Promise.all([one(put("x", "of one")), other(put("x", "of the other"))]);
  expect(() => handlerIn({ storage: storageIn("one") })).toThrow("Another server is using the data directory.");
  expect(await (await one(get("x"))).text()).toBe("of one");
  expect(await (await other(get("x"))).text()).toBe("of the other");
  await one.close();
  const again = handlerIn({ storage: storageIn("one") });
  expect(await (await again(get("x"))).text()).toBe("of one");
});

describe("close", () => {
  it("ends live reads between two events, and answers later requests with 503", async () => {
    const handler = handlerIn();
    await handler(put("a", "one"));
    const url = await listening(handler.node);
    const streamed = [
      await handler(get("a?offset=-1&live=sse")),
      await fetch(`${url}${BASE}/v1/stream/a?offset=-1&live=sse`),
    ].map((response) => response.text());
    const longPoll = handler(get("a?offset=now&live=long-poll"));
    await handler.close();
    for (const text of await Promise.all(streamed)) expect(text).toMatch(/data:one\n[^]*\n\n$/);
    expect((await longPoll).status).toBe(204);
    const late = await handler(get("a"));
    expect([late.status, late.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect((await fetch(`${url}${BASE}/v1/stream/a`)).status).toBe(503);
  });

  it("waits for the live reads, so that the application's server closes their connections at once", async () => {
    const handler = handlerIn();
    await handler(put("a", "one"));
    const server = createHttpServer(handler.node).listen(0, "127.0.0.1");
    await once(server, "listening");
    const closed = once(server, "close");
    const { port } = server.address() as AddressInfo;
    const read = (await fetch(`http://127.0.0.1:${port}${BASE}/v1/stream/a?offset=-1&live=sse`)).text();
    await handler.close();
    // Longer than the test would wait for a connection that its client keeps.
    server.keepAliveTimeout = 600_000;
    server.close();
    await closed;
    expect(await read).toMatch(/data:one\n[^]*\n\n$/);
  });

  it("aborts after the drain time what has not ended by then", async () => {
    const handler = handlerIn();
    const arrived = Promise.withResolvers<void>();
    const url = await listening((request, response) => {
      handler.node(request, response);
      arrived.resolve();
    });
    const unfinished = () => {
      const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
      return { method: "PUT", headers: TEXT, body, duplex: "half" } as RequestInit;
    };
    const failures = [
      handler(new Request(`${ORIGIN}/v1/stream/a`, unfinished())),
      fetch(`${url}${BASE}/v1/stream/b`, unfinished()),
    ].map((answered) => answered.catch((error: unknown) => error));
    await arrived.promise;
    await handler.close(0);
    for (const failure of await Promise.all(failures)) expect(failure).toBeInstanceOf(Error);
  });
});

describe("requestsMax", () => {
  it.each([0, -1, 1.5, Number.NaN])("of %d is refused", (requestsMax) => {
    expect(() => handlerIn({ requestsMax })).toThrow("requestsMax must be a whole number above 0");
  });

  it("requests beyond it get 503, whoever passes them on, and the next ones are served when one has ended", async () => {
    const handler = handlerIn({ requestsMax: 2 });
    const url = `${await listening(handler.node)}${BASE}/v1/stream/a`;
    await handler(put("a", "one"));
    const ofFetch = await handler(get("a?offset=-1&live=sse"));
    const aborter = new AbortController();
    const ofNode = await fetch(`${url}?offset=-1&live=sse`, { signal: aborter.signal });
    expect([ofFetch.status, ofNode.status]).toEqual([200, 200]);
    for (const refused of [await handler(get("a")), await fetch(url)]) {
      expect([refused.status, refused.headers.get("Retry-After"), await refused.json()]).toEqual([
        503,
        "5",
        expect.objectContaining({ code: "unavailable", detail: expect.stringContaining("requests in flight") }),
      ]);
    }
    await ofFetch.body?.cancel();
    expect((await fetch(url)).status).toBe(200);
    await handler(put("b"));
    aborter.abort();
    await expect.poll(() => handler.metrics()).toContain("durable_streams_live_reads 0\n");
    const again = [await handler(get("a?offset=-1&live=sse")), await handler(get("a?offset=-1&live=sse"))];
    expect(again.map(({ status }) => status)).toEqual([200, 200]);
  });
});

describe("ready", () => {
  it("resolves when the server is open; a request that comes earlier waits", async () => {
    const handler = createHandlerWithReady({ storage: { mode: "memory" }, settings: SETTINGS, basePath: BASE });
    const created = handler(put("a"));
    await handler.ready;
    expect((await created).status).toBe(201);
    await handler.close();
  });

  it.each([
    { about: "a wrong setting", message: "TENANCY", options: { settings: { ...SETTINGS, TENANCY: "many" } } },
    {
      about: "a data directory that is a file",
      message: "EEXIST",
      options: { storage: { mode: "file-fast", dataDir: import.meta.filename } },
    },
    { about: "a wrong base path", message: "basePath must be a path", options: { basePath: "api" } },
  ] as const)(
    "rejects because of $about; nothing else fails, and requests are answered with 503",
    async ({ message, options }) => {
      vi.spyOn(console, "error").mockReturnValue();
      const handler = createHandlerWithReady({
        storage: { mode: "memory" },
        settings: SETTINGS,
        basePath: BASE,
        ...options,
      });
      const early = await handler(get("a"));
      await expect(handler.ready).rejects.toThrow(message);
      expect([early.status, (await handler(get("a"))).status]).toEqual([503, 503]);
      await handler.close();
    },
  );

  it("createHandler throws the same at once", () => {
    expect(() => createHandler({ storage: { mode: "memory" }, settings: { TENANCY: "many" } })).toThrow("TENANCY");
  });
});

describe("with cold segments in a bucket", () => {
  let s3: S3Server;
  beforeAll(async () => void (s3 = await startS3Server()));
  afterAll(() => s3.close());
  const optionsWith = (more: Partial<S3Options>): HandlerOptions => {
    const { url: endpoint, bucket, region } = s3;
    const storage = { dataDir: join(root, "bucket"), s3: { ...S3_CREDENTIALS, endpoint, bucket, region, ...more } };
    return { storage, settings: SETTINGS, basePath: BASE };
  };

  it("ready rejects until the bucket can be used, and the data directory is free for the next attempt", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const wrong = createHandlerWithReady(optionsWith({ bucket: "other" }));
    await expect(wrong.ready).rejects.toMatchObject({
      name: "StorageError",
      fix: expect.stringContaining("s3_bucket"),
    });
    expect((await wrong(get("a"))).status).toBe(503);
    const right = createHandlerWithReady(optionsWith({}));
    expect((await right(put("a"))).status).toBe(201);
    await right.close();
  });

  it("createHandler, which cannot wait for the bucket, is refused", () => {
    expect(() => createHandler(optionsWith({}))).toThrow("createHandler cannot wait");
  });
});

it("a failed sync reaches the application, everything is answered with 503, and the process goes on", async () => {
  const fatal: unknown[] = [];
  const dataDir = join(root, "failed");
  const handler = handlerIn({ storage: { mode: "file-durable", dataDir }, onFatal: (error) => void fatal.push(error) });
  await handler(put("a", "kept"));
  const failure = new Error("EIO");
  vi.spyOn(SharedDatabase.prototype, "sync").mockRejectedValue(failure);
  expect((await handler(put("b"))).status).toBeGreaterThanOrEqual(500);
  expect(fatal).toEqual([failure]);
  expect((await handler(get("a"))).status).toBe(503);
  expect(existsSync(dataDir)).toBe(true);
});

it("changes nothing of the process that it runs in", async () => {
  const stateOf = () => ({
    console: { ...console },
    listeners: process.eventNames().map((name) => [name, process.listenerCount(name)]),
    globals: Object.getOwnPropertyNames(globalThis),
    environment: { ...process.env },
  });
  const before = stateOf();
  const handler = createHandler({ storage: { mode: "memory" }, settings: SETTINGS });
  await handler(new Request("http://localhost/v1/stream/a", { method: "PUT" }));
  expect(stateOf()).toEqual(before);
  await handler.close();
});
