import { errors, exportJWK, generateKeyPair, type JWK } from "jose";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";

import { IssuerKeys, IssuerUnavailable, jwksOf } from "./jwks.ts";

const URL_OF_KEYS = "https://issuer.example/jwks";
const COOL_DOWN_MS = 30_000;
const CACHE_MS = 600_000;

let jwks: readonly JWK[] = [];
let nowMs = 0;
let fetches: RequestInit[] = [];
/** What the issuer answers next. */
let answer: () => Response | Promise<Response>;
/** Whether the clock goes on while a request waits. */
let clockRuns = true;

beforeAll(async () => {
  const pairs = await Promise.all(["old", "new"].map(() => generateKeyPair("ES256", { extractable: true })));
  jwks = await Promise.all(
    pairs.map(async ({ publicKey }, index) => ({ ...(await exportJWK(publicKey)), kid: ["old", "new"][index] ?? "" })),
  );
});

beforeEach(() => {
  nowMs = 1_000_000;
  fetches = [];
  clockRuns = true;
  answer = () => keySetOf("old");
});

const keySetOf = (...kids: string[]): Response =>
  Response.json({ keys: jwks.filter(({ kid }) => kids.includes(kid ?? "")) });

function newKeys(): IssuerKeys {
  return new IssuerKeys(URL_OF_KEYS, {
    fetch: async (_url, init) => {
      fetches.push(init);
      return answer();
    },
    now: () => nowMs,
    sleep: async (ms) => {
      await new Promise(setImmediate);
      if (clockRuns) nowMs += ms;
    },
  });
}

async function find(keys: IssuerKeys, kid: string): Promise<void> {
  await keys.find({ alg: "ES256", kid }, { payload: "", signature: "" });
}

describe("an issuer's keys", () => {
  it("[PJ5] are fetched once, without following redirects, and again when they are ten minutes old", async () => {
    const keys = newKeys();
    for (let count = 0; count < 3; count += 1) await find(keys, "old");
    nowMs += CACHE_MS - 1;
    await find(keys, "old");
    expect(fetches).toMatchObject([{ redirect: "manual", signal: expect.any(AbortSignal) }]);
    nowMs += 1;
    await find(keys, "old");
    expect(fetches).toHaveLength(2);
  });

  it("are fetched again for an unknown kid, once per cool-down", async () => {
    const keys = newKeys();
    await find(keys, "old");
    for (let count = 0; count < 100; count += 1) {
      await expect(find(keys, `made up ${count}`)).rejects.toThrow(errors.JWKSNoMatchingKey);
    }
    expect(fetches).toHaveLength(1);
    nowMs += COOL_DOWN_MS;
    for (let count = 0; count < 100; count += 1) {
      await expect(find(keys, `made up ${count}`)).rejects.toThrow(errors.JWKSNoMatchingKey);
    }
    expect(fetches).toHaveLength(2);
  });

  it("[PJ5] rotate: a new one is known as soon as the cool-down allows, a removed one is not known any more", async () => {
    const keys = newKeys();
    await find(keys, "old");
    answer = () => keySetOf("new");
    await expect(find(keys, "new")).rejects.toThrow(errors.JWKSNoMatchingKey);
    nowMs += COOL_DOWN_MS;
    await find(keys, "new");
    await expect(find(keys, "old")).rejects.toThrow(errors.JWKSNoMatchingKey);
    expect(fetches).toHaveLength(2);
  });

  it("are fetched once for many tokens that come at the same time", async () => {
    clockRuns = false;
    const keys = newKeys();
    await Promise.all(Array.from({ length: 50 }, () => find(keys, "old")));
    expect(fetches).toHaveLength(1);
    nowMs += COOL_DOWN_MS;
    await Promise.allSettled(Array.from({ length: 50 }, (_, count) => find(keys, `made up ${count}`)));
    expect(fetches).toHaveLength(2);
  });

  it("are fetched by another request when the one that was fetching has been cancelled", async () => {
    answer = () => new Promise(() => undefined);
    const keys = newKeys();
    void find(keys, "old");
    answer = () => keySetOf("old");
    await find(keys, "old");
    expect(fetches).toHaveLength(2);
  });
});

describe("an issuer is unavailable, and not asked again for half a minute,", () => {
  it.each<[string, () => Response | Promise<Response>]>([
    ["when it is down", () => Promise.reject(new TypeError("connection refused"))],
    ["when it takes too long", () => Promise.reject(new DOMException("too long", "TimeoutError"))],
    ["when it redirects", () => new Response(null, { status: 302, headers: { Location: "http://10.0.0.1/" } })],
    ["when it has an error, even one with keys", () => Response.json({ keys: [jwks[0]] }, { status: 500 })],
    ["when it has nothing new", () => new Response(null, { status: 304 })],
    ["when its answer is not JSON", () => new Response("<html>")],
    ["when its answer is not a key set", () => Response.json({ keys: "none" })],
    ["when its answer is too large", () => Response.json({ keys: [jwks[0]], padding: "x".repeat(64 * 1024) })],
  ])("%s", async (_what, given) => {
    answer = given;
    const keys = newKeys();
    for (let count = 0; count < 10; count += 1) await expect(find(keys, "old")).rejects.toThrow(IssuerUnavailable);
    expect(fetches).toHaveLength(1);
    answer = () => keySetOf("old");
    nowMs += COOL_DOWN_MS;
    await find(keys, "old");
  });

  it("while its known keys go on being good for as long as they would have been", async () => {
    const keys = newKeys();
    await find(keys, "old");
    answer = () => Promise.reject(new TypeError("connection refused"));
    nowMs += COOL_DOWN_MS;
    await expect(find(keys, "new")).rejects.toThrow(IssuerUnavailable);
    await find(keys, "old");
    nowMs += CACHE_MS;
    await expect(find(keys, "old")).rejects.toThrow(IssuerUnavailable);
  });

  it("and an answer of endless length is read no further than 64 KiB", async () => {
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 16 * 1024;
        controller.enqueue(new Uint8Array(16 * 1024).fill(32));
      },
      cancel: () => void (cancelled = true),
    });
    answer = () => new Response(endless);
    await expect(find(newKeys(), "old")).rejects.toThrow(IssuerUnavailable);
    expect(cancelled).toBe(true);
    expect(sent).toBeLessThanOrEqual(8 * 16 * 1024);
  });
});

it("the keys of a URL are fetched by the host's own function, and each host fetches its own", async () => {
  const asked: string[] = [];
  const sendAs = (host: string) => async (): Promise<Response> => {
    asked.push(host);
    return keySetOf("old");
  };
  const [one, other] = [sendAs("one"), sendAs("other")];
  for (const send of [one, other, one]) {
    await jwksOf(URL_OF_KEYS, send)({ alg: "ES256", kid: "old" }, { payload: "", signature: "" });
  }
  expect(asked).toEqual(["one", "other"]);
});
