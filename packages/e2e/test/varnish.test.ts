/** A shared cache in front of the server: many readers, few requests at the origin, and never a wrong byte. */
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { stream } from "@durable-streams/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { countingFetch } from "../src/counting-fetch.ts";
import { append, CLOSE, create, get, header, nextOffset, send, TEXT } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";
import { startVarnish, VARNISHD, type VarnishCache } from "../src/varnish.ts";

const READERS = 200;
const MESSAGES = Array.from({ length: 25 }, (_, n) => `message ${n} ${"x".repeat(n * 50)}\n`);

/** A problem names its request. */
const withoutId = ({ text }: { readonly text: string }): string => text.replace(/"requestId":"[^"]*"/, "");

const HALF = Math.floor(MESSAGES.length / 2);

const isInstalled = existsSync(VARNISHD);
if (!isInstalled) process.stderr.write(`\n!! ${VARNISHD} is not there: the cache tests are SKIPPED.\n\n`);

describe.skipIf(!isInstalled)("through Varnish", () => {
  const server = useServer({ OPEN_TO: "everybody", LONG_POLL_TIMEOUT_MS: 2_000 });
  let cache: VarnishCache;

  beforeAll(async () => {
    cache = await startVarnish(server.url);
  });
  afterAll(async () => {
    await cache?.stop();
  });

  /** A stream with one message, by its direct URL and by that of the cache. */
  async function newStream(body = "first\n"): Promise<{ direct: string; cached: string; offset: string }> {
    const direct = server.newUrl();
    const offset = nextOffset(await create(direct, { headers: TEXT, body }));
    return { direct, cached: direct.replace(server.url, cache.url), offset };
  }

  /** Reads with the official client: until the stream is closed, or what is there. */
  async function follow(
    url: string,
    offset: string,
    live: "long-poll" | "sse" | false,
    send: typeof fetch = fetch,
  ): Promise<string> {
    const response = await stream({ url, offset, live, fetch: send });
    let text = "";
    for await (const chunk of response.textStream()) text += chunk;
    return text;
  }

  it(`[CA15] ${READERS} long-poll and ${READERS} catch-up readers of one stream get its bytes, and the origin a fraction of their requests`, async () => {
    const { direct, cached, offset } = await newStream();
    cache.takeRequests();
    const counting = countingFetch();
    const readers = Array.from({ length: READERS }, () => follow(cached, offset, "long-poll", counting.fetch));
    let catchUps: Promise<string>[] = [];
    for (const [index, message] of MESSAGES.entries()) {
      const before = counting.requests();
      await append(cached, message);
      if (index === HALF) catchUps = Array.from({ length: READERS }, () => follow(cached, "-1", false));
      // The next one comes when this one has reached most readers: they then ask again.
      await until(() => counting.requests() >= before + READERS / 2);
    }
    await send("POST", cached, { headers: CLOSE });
    const bypassing = (await get(`${direct}?offset=${offset}`)).text;
    expect(bypassing).toBe(MESSAGES.join(""));
    expect(new Set(await Promise.all(readers))).toEqual(new Set([bypassing]));
    // Readers from the beginning get what is there by now, which the cache revalidates each time.
    const whole = (await get(direct)).text;
    const half = whole.slice(0, whole.indexOf(MESSAGES[HALF] ?? ""));
    for (const text of await Promise.all(catchUps)) {
      expect(text.startsWith(half) && whole.startsWith(text)).toBe(true);
    }
    const atOrigin = cache.takeRequests().filter(({ method }) => method === "GET").length;
    expect(atOrigin).toBeLessThan(counting.requests() / 10);
  });

  it(`${READERS} catch-up readers of a place are one request at the origin`, async () => {
    const { direct, cached, offset } = await newStream();
    for (const message of MESSAGES) await append(direct, message);
    cache.takeRequests();
    const answers = await Promise.all(Array.from({ length: READERS }, () => get(`${cached}?offset=${offset}`)));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([MESSAGES.join("")]));
    expect(cache.takeRequests()).toHaveLength(1);
    expect(header(await get(`${cached}?offset=${offset}`), "X-Cache")).toBe("HIT");
  });

  it(`${READERS} readers from -1 ask each time, and the origin sends the bytes once`, async () => {
    const { direct, cached } = await newStream();
    cache.takeRequests();
    const answers = await Promise.all(Array.from({ length: READERS }, () => get(`${cached}?offset=-1`)));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([(await get(direct)).text]));
    expect(cache.takeRequests().filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it("[RE8] parameters in another order share a cache entry", async () => {
    const { direct, cached, offset } = await newStream();
    await append(direct, "second\n");
    const places = [`offset=${offset}&live=long-poll&cursor=1`, `cursor=1&live=long-poll&offset=${offset}`];
    cache.takeRequests();
    const answers = [await get(`${cached}?${places[0]}`), await get(`${cached}?${places[1]}`)];
    expect(answers.map(({ text }) => text)).toEqual(["second\n", "second\n"]);
    expect(cache.takeRequests()).toHaveLength(1);
  });

  it("an append and a close reach a reader whose offset is in the cache", async () => {
    const { direct, cached, offset } = await newStream();
    await append(direct, "second\n");
    expect((await get(`${cached}?offset=${offset}`)).text).toBe("second\n");
    await append(direct, "third\n", { ...TEXT, ...CLOSE });
    const [throughCache, bypassing] = await Promise.all([
      follow(cached, offset, "long-poll"),
      get(`${direct}?offset=${offset}`),
    ]);
    expect(throughCache).toBe(bypassing.text);
    expect(header(bypassing, "Stream-Closed")).toBe("true");
  });

  it.each(["deleted", "deleted and made again"])(
    "[IN11] [CA14] a stream that was %s is not read from the cache",
    async (fate) => {
      const { direct, cached, offset } = await newStream("old 1\n");
      await append(direct, "old 2\n");
      for (const query of ["", "?offset=-1", `?offset=${offset}`, "?offset=-1&live=long-poll"])
        await get(cached + query);
      expect((await send("DELETE", cached)).status).toBe(204);
      if (fate !== "deleted") await create(cached, { headers: TEXT, body: "new 1\n" });
      for (const query of ["", "?offset=-1", "?offset=-1&live=long-poll"]) {
        const [throughCache, bypassing] = [await get(cached + query), await get(direct + query)];
        expect([throughCache.status, withoutId(throughCache)]).toEqual([bypassing.status, withoutId(bypassing)]);
        expect(throughCache.headers.get("ETag")).toBe(bypassing.headers.get("ETag"));
      }
    },
  );

  it("[CA14] what a cache still has of a deleted stream leads to 410, not into the new one", async () => {
    const { direct, cached, offset } = await newStream("old 1\n");
    await append(direct, "old 2\n");
    await get(`${cached}?offset=${offset}`);
    await send("DELETE", direct);
    await create(direct, { headers: TEXT, body: "new 1\n" });
    const kept = await get(`${cached}?offset=${offset}`);
    expect(kept.text).toBe("old 2\n");
    expect((await get(`${cached}?offset=${nextOffset(kept)}`)).status).toBe(410);
  });

  it("SSE passes through as it comes", async () => {
    const { direct, cached } = await newStream();
    const following = follow(cached, "-1", "sse");
    await append(direct, "live\n", { ...TEXT, ...CLOSE });
    expect(await following).toBe("first\nlive\n");
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5);
}
