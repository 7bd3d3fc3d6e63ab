/** The nginx of packages/proxy in front of the server: everything works as without it, and nobody comes in past it. */
import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client";
import { beforeAll, describe, expect, it } from "vitest";

import { openChunked } from "../src/chunked-response.ts";
import { startCountingTunnel } from "../src/counting-tunnel.ts";
import { EventStream } from "../src/event-stream.ts";
import { startHook } from "../src/hook.ts";
import type { NginxProxy } from "../src/nginx.ts";
import { bytesOf, digest, MIB } from "../src/payloads.ts";
import { sendRaw } from "../src/raw-http.ts";
import { append, CLOSE, codeOf, create, get, header, JSON_TYPE, nextOffset, send, TEXT } from "../src/requests.ts";
import { hasNginx, useProxies } from "../src/test-proxy.ts";
import { useServer } from "../src/test-server.ts";

const SECRET = "a-secret-of-the-proxy-0123456789";
const SECRET_HEADER = { "Stream-Origin-Secret": SECRET };
const BYTES = { "Content-Type": "application/octet-stream" };
const TEN_MIB = bytesOf(10 * MIB);
/** Of each silence that the proxy allows; that to connect is 5 s. */
const TIMEOUT_SECONDS = 2;
const SHORT = { TIMEOUT_SECONDS, IDLE_SECONDS: TIMEOUT_SECONDS };

const proxies = useProxies();

/** Reads by SSE to the close with the official client; when a connection breaks, the next read goes on from there. */
async function followResuming(url: string, onItem: (item: number) => void): Promise<number[]> {
  const items: number[] = [];
  for (let offset = "-1"; ;) {
    const response = await stream<number>({ url, offset, live: "sse" });
    // It reports a broken connection twice; the loop below sees it, too.
    response.closed.catch(() => undefined);
    try {
      for await (const item of response.jsonStream()) {
        items.push(item);
        onItem(item);
      }
      return items;
    } catch {
      offset = response.offset;
    }
  }
}

describe.skipIf(!hasNginx())("the server through nginx", () => {
  const server = useServer({
    ORIGIN_SECRET: SECRET,
    READERS_MAX: 1,
    LONG_POLL_TIMEOUT_MS: 1_500,
    SSE_HEARTBEAT_SECONDS: 1,
    SSE_SESSION_SECONDS: 60,
    WEBHOOK_LOOPBACK: "allow",
  });
  let proxy: NginxProxy;

  beforeAll(async () => {
    const limits = { ...SHORT, BODY_BYTES_MAX: 12 * MIB };
    proxy = await proxies.proxy({ ORIGIN: server.url, ORIGIN_SECRET: SECRET, ...limits });
  });

  const newUrl = (): string => server.newUrl().replace(server.url, proxy.url);

  async function newStream(body = "first\n"): Promise<{ url: string; offset: string }> {
    const url = newUrl();
    return { url, offset: nextOffset(await create(url, { headers: TEXT, body })) };
  }

  describe("live reads", () => {
    it("an event stream stays open when nothing but heartbeats comes for longer than every time-out", async () => {
      const { url, offset } = await newStream();
      const response = await openChunked(`${url}?offset=${offset}&live=sse`);
      let [text, isAppended] = ["", false];
      for await (const chunk of response.chunks) {
        text += chunk.toString();
        // One each second, so six of them are more than 5 s.
        if (!isAppended && (text.match(/^:/gm)?.length ?? 0) > 6) {
          isAppended = true;
          await append(url, "at last", CLOSE);
        }
      }
      expect(isAppended).toBe(true);
      expect(text).toContain("data:at last\n");
    });

    it("events come one by one, each before the next is written", async () => {
      const { url, offset } = await newStream();
      const reader = await EventStream.open(`${url}?offset=${offset}&live=sse`);
      expect(header(reader.response, "Content-Type")).toContain("text/event-stream");
      await reader.control();
      for (const message of ["one", "two", "three"]) {
        await append(url, message);
        expect(await reader.data()).toBe(message);
        await reader.control();
      }
      reader.close();
    });

    it("a reader that goes away is gone at the server, too", async () => {
      const { url } = await newStream();
      const reader = await EventStream.open(`${url}?offset=now&live=sse`);
      await reader.control();
      const read = async (): Promise<number> => (await get(`${url}?offset=now&live=long-poll`)).status;
      expect(await read()).toBe(503);
      reader.close();
      await expect.poll(read, { timeout: 10_000 }).toBe(204);
    });

    it("a long-poll is woken by an append", async () => {
      const { url, offset } = await newStream();
      const waiting = get(`${url}?offset=${offset}&live=long-poll`);
      await append(url, "second");
      expect(await waiting).toMatchObject({ status: 200, text: "second" });
    });

    it("a long-poll in which nothing happens ends with 204", async () => {
      const { url, offset } = await newStream();
      const answer = await get(`${url}?offset=${offset}&live=long-poll`);
      expect([answer.status, header(answer, "Stream-Up-To-Date")]).toEqual([204, "true"]);
    });
  });

  describe("bodies", () => {
    it("10 MiB in one append, and 10 MiB in one catch-up", async () => {
      const url = newUrl();
      await create(url, { headers: BYTES });
      expect((await append(url, TEN_MIB, BYTES)).status).toBe(204);
      const response = await fetch(`${url}?offset=-1`);
      expect(digest(new Uint8Array(await response.arrayBuffer()))).toBe(digest(TEN_MIB));
    });

    it("of unknown length arrive whole", async () => {
      const url = newUrl();
      await create(url, { headers: BYTES });
      const chunks = Array.from({ length: 40 }, (_, n) => TEN_MIB.subarray(n * 50_000, (n + 1) * 50_000));
      const answer = await sendRaw({
        method: "POST",
        server: url,
        path: new URL(url).pathname,
        headers: BYTES,
        chunks,
      });
      expect(answer.status).toBe(204);
      const response = await fetch(`${url}?offset=-1`);
      expect(digest(new Uint8Array(await response.arrayBuffer()))).toBe(digest(TEN_MIB.subarray(0, 2_000_000)));
    });

    it.each([
      { by: "server", size: 11 * MIB, detail: "10485760" },
      { by: "proxy", size: 13 * MIB, detail: "12582912" },
    ])("above the $by's limit are refused with the same problem", async ({ size, detail }) => {
      const url = newUrl();
      await create(url, { headers: BYTES });
      const answer = await append(url, new Uint8Array(size), BYTES);
      expect([answer.status, codeOf(answer)]).toEqual([413, "body-too-large"]);
      expect(answer.text).toContain(detail);
      expect((await get(`${url}?offset=-1`)).text).toBe("");
    });
  });

  describe("the secret", () => {
    it.each([
      { about: "missing", settings: {} },
      { about: "wrong", settings: { ORIGIN_SECRET: SECRET.replace("0", "1") } },
    ])("$about: the server serves nothing", async ({ settings }) => {
      const stranger = await proxies.proxy({ ORIGIN: server.url, ...settings });
      for (const method of ["GET", "PUT", "DELETE"]) {
        const answer = await send(method, `${stranger.url}/v1/stream/x`, { headers: TEXT });
        expect([answer.status, codeOf(answer)]).toEqual([401, "proxy-required"]);
      }
      expect((await get(`${stranger.url}/readyz`)).status).toBe(200);
    });

    it("of a client does not count, whatever the proxy has", async () => {
      const stranger = await proxies.proxy({ ORIGIN: server.url });
      expect((await get(`${stranger.url}/v1/stream/x`, SECRET_HEADER)).status).toBe(401);
      expect((await get(`${proxy.url}/v1/stream/x`, { "Stream-Origin-Secret": "wrong" })).status).toBe(404);
    });

    it("is in no log", async () => {
      await get(`${proxy.url}/v1/stream/x`);
      expect(server.log() + proxy.log()).not.toContain(SECRET);
    });
  });

  it("a webhook's callback and keys come through the proxy", async () => {
    const hook = await startHook();
    const url = newUrl();
    await create(url, { headers: JSON_TYPE });
    const control = `${proxy.url}/v1/stream/__ds`;
    const subscription = { type: "webhook", streams: [url.split("/v1/stream/")[1]], webhook: { url: hook.url } };
    const body = JSON.stringify(subscription);
    const made = await send("PUT", `${control}/subscriptions/hook`, { headers: JSON_TYPE, body });
    const { webhook } = JSON.parse(made.text) as { webhook: { signing: { jwks_url: string } } };
    expect(webhook.signing.jwks_url).toBe(`${control}/jwks.json`);
    await append(url, "1", JSON_TYPE);
    const [delivery] = await hook.received(({ length }) => length > 0);
    if (delivery === undefined) throw new Error("There is one.");
    const { callback_url: callbackUrl, callback_token: token, ...wake } = delivery.wake;
    expect(callbackUrl).toBe(`${control}/subscriptions/hook/callback`);
    expect((await get(webhook.signing.jwks_url)).text).toContain('"kty":"OKP"');
    const answer = await send("POST", callbackUrl, {
      headers: { ...JSON_TYPE, Authorization: `Bearer ${token}` },
      body: JSON.stringify({ wake_id: wake.wake_id, generation: wake.generation, done: true }),
    });
    expect([answer.status, answer.text]).toEqual([200, '{"ok":true,"next_wake":true}']);
    await send("DELETE", `${control}/subscriptions/hook`);
    hook.stop();
  });

  it("a created stream's URL is not that of the server behind", async () => {
    const url = newUrl();
    expect(header(await create(url), "Location")).toBe(new URL(url).pathname);
  });

  it("what a client has is not sent again", async () => {
    const { url } = await newStream();
    const first = await get(`${url}?offset=-1`);
    const again = await get(`${url}?offset=-1`, { "If-None-Match": header(first, "ETag") });
    expect([again.status, again.text]).toEqual([304, ""]);
    expect(header(again, "Cache-Control")).toBe(header(first, "Cache-Control"));
  });

  it("300 requests share a few connections to the server", async () => {
    const tunnel = await startCountingTunnel(server.url);
    const counted = await proxies.proxy({ ORIGIN: tunnel.url, ORIGIN_SECRET: SECRET, WORKERS: 1 });
    const url = server.newUrl().replace(server.url, counted.url);
    await create(url);
    const writer = async (): Promise<number[]> => {
      const statuses: number[] = [];
      for (let n = 0; n < 60; n += 1) statuses.push((await append(url, "x")).status);
      return statuses;
    };
    const statuses = (await Promise.all([writer(), writer(), writer(), writer(), writer()])).flat();
    expect(new Set(statuses)).toEqual(new Set([204]));
    expect(statuses).toHaveLength(300);
    expect(tunnel.connections()).toBeLessThanOrEqual(10);
    tunnel.stop();
  });

  describe("the official client", () => {
    const MESSAGES = Array.from({ length: 100 }, (_, n) => n);

    it.each([true, "sse", "long-poll"] as const)("follows what is written, live: %s", async (live) => {
      const handle = await DurableStream.create({ url: newUrl(), contentType: "application/json" });
      await Promise.all(MESSAGES.map((n) => handle.append(JSON.stringify(n))));
      const response = await handle.stream<number>({ live });
      const read: number[] = [];
      let closing: Promise<unknown> | undefined;
      response.subscribeJson(({ items, upToDate }) => {
        read.push(...items);
        if (upToDate) closing ??= handle.append("-1").then(() => handle.close());
      });
      await response.closed;
      await closing;
      expect(read).toEqual([...MESSAGES, -1]);
    });

    it("produces exactly once", async () => {
      const handle = await DurableStream.create({ url: newUrl(), contentType: "application/json" });
      const producer = new IdempotentProducer(handle, "writer", { maxBatchBytes: 1, maxInFlight: 5 });
      for (const n of MESSAGES) producer.append(JSON.stringify(n));
      await producer.flush();
      await producer.close();
      expect(await (await handle.stream({ live: false })).json()).toEqual(MESSAGES);
    });
  });

  it("after a restart of the server requests go through, and a reader by SSE has missed nothing", async () => {
    const url = newUrl();
    await create(url, { headers: JSON_TYPE });
    const write = (n: number) => append(url, String(n), JSON_TYPE);
    const seen = [0, 1].map(() => Promise.withResolvers<void>());
    const following = followResuming(url, (item) => seen[item]?.resolve());
    // Each is read before the next is written, so the second comes by a connection that was open already.
    for (const n of [0, 1]) {
      await write(n);
      await seen[n]?.promise;
    }
    await server.restart();
    for (const n of [2, 3]) expect((await write(n)).status).toBe(204);
    await send("POST", url, { headers: CLOSE });
    expect(await following).toEqual([0, 1, 2, 3]);
  });
});
