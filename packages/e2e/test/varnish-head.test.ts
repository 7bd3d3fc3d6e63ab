/** A cache that asks the server by GET for what it is asked by HEAD, as Cloudflare's caches do. */
import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { append, CLOSE, create, get, send, TEXT } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";
import { startVarnish, VARNISHD, type VarnishCache } from "../src/varnish.ts";

/** Several of these are more than one response may carry. */
const LARGE = "x".repeat(40 * 1024);

const SEQ = { "Stream-Seq": "7" };

const isInstalled = existsSync(VARNISHD);
if (!isInstalled) process.stderr.write(`\n!! ${VARNISHD} is not there: the cache tests are SKIPPED.\n\n`);

describe.skipIf(!isInstalled)("through a cache that turns HEAD into GET", () => {
  const server = useServer({ OPEN_TO: "everybody", READ_BYTES_MAX: 65_536 });
  let cache: VarnishCache;

  beforeAll(async () => {
    cache = await startVarnish(server.url, true);
  });
  afterAll(async () => {
    await cache?.stop();
  });

  it.each<[string, Record<string, string>]>([
    ["nothing more", {}],
    ["a sliding lifetime and a retention", { "Stream-TTL": "600", "Stream-Retention-Bytes": "1000000" }],
    ["an expiry", { "Stream-Expires-At": "2099-01-01T00:00:00.000Z", "Stream-Retention-Seconds": "3600" }],
  ])(
    "[HE1] HEAD says of a stream with %s what it says without the cache, and the tail as it is now",
    async (_, extra) => {
      const direct = server.newUrl();
      const cached = direct.replace(server.url, cache.url);
      await create(direct, { headers: { ...TEXT, ...extra }, body: LARGE });
      for (const more of [{}, SEQ, CLOSE]) {
        await append(direct, LARGE, { ...TEXT, ...more });
        cache.takeRequests();
        const throughCache = await send("HEAD", cached);
        expect(cache.takeRequests().map(({ method }) => method)).toEqual(["GET"]);
        const bypassing = await send("HEAD", direct);
        expect(streamHeaders(throughCache)).toMatchObject(streamHeaders(bypassing));
        expect(throughCache.text).toBe("");
      }
      expect((await get(cached)).text).toBe(LARGE.repeat(4));
    },
  );
});

/** What a response says of the stream. */
function streamHeaders({ headers }: { readonly headers: Headers }): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => /^(?:stream-|content-type|cache-control)/.test(name)));
}
