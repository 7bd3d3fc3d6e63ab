/** The absolute URLs that the server hands out are those by which clients outside reach it. */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

import { createDurableStreams } from "../../src/index.ts";

const SECRET = "a-secret-of-the-proxy-0123456789";
const PROVEN = { "Stream-Origin-Secret": SECRET };
const FORWARDED = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "streams.example.com" };
const HOOK = "https://worker.shop.com/hooks";

interface Case {
  readonly about: string;
  readonly origin: string;
  readonly headers?: Record<string, string>;
  readonly vars?: Record<string, string>;
  /** What is in front of a path in `Location`. */
  readonly base: string;
  /** Whether a webhook may be told to call back there. */
  readonly isRefused?: true;
}

const CASES: readonly Case[] = [
  { about: "a platform that ends TLS", origin: "https://mine.example.com", base: "https://mine.example.com" },
  { about: "this machine", origin: "http://localhost:4437", base: "http://localhost:4437" },
  { about: "a name that the client chose", origin: "http://evil.example", base: "", isRefused: true },
  {
    about: "a proxy that ends TLS and is not proven",
    origin: "http://streams.example.com",
    headers: FORWARDED,
    base: "",
    isRefused: true,
  },
  {
    about: "a proxy that ends TLS, with PUBLIC_URL",
    origin: "http://streams.example.com",
    headers: FORWARDED,
    vars: { PUBLIC_URL: "https://streams.example.com/" },
    base: "https://streams.example.com",
  },
  {
    about: "a path of a shared host, with PUBLIC_URL",
    origin: "http://10.0.0.7:4437",
    vars: { PUBLIC_URL: "https://example.com/streams" },
    base: "https://example.com/streams",
  },
  {
    about: "PUBLIC_URL by plain HTTP",
    origin: "http://10.0.0.7:4437",
    vars: { PUBLIC_URL: "http://10.0.0.7:4437" },
    base: "http://10.0.0.7:4437",
    isRefused: true,
  },
  {
    about: "a proven proxy",
    origin: "https://origin.workers.dev",
    headers: { ...FORWARDED, ...PROVEN },
    vars: { ORIGIN_SECRET: SECRET },
    base: "https://streams.example.com",
  },
  {
    about: "a proven proxy whose clients come by plain HTTP",
    origin: "https://origin.workers.dev",
    headers: { ...FORWARDED, ...PROVEN, "X-Forwarded-Proto": "http" },
    vars: { ORIGIN_SECRET: SECRET },
    base: "http://streams.example.com",
    isRefused: true,
  },
];

describe.each(CASES)("$about", ({ origin, headers = {}, vars = {}, base, isRefused }) => {
  const id = crypto.randomUUID();
  const send = (method: string, path: string, body = ""): Promise<Response> => {
    const settings = { TENANCY: "path", AUTH_MODE: "none", LOG_LEVEL: "off", ...vars };
    const json = { "Content-Type": "application/json" };
    const init = { method, headers: { ...json, ...headers }, ...(body === "" ? {} : { body }) };
    const request = new Request(origin + path, init);
    return createDurableStreams().fetch(request, { ...env, ...settings }, createExecutionContext());
  };

  it("[CR1] the Location of a new stream", async () => {
    const path = `/v1/stream/test/a%20b/${id}`;
    const response = await send("PUT", `${path}?x=1`);
    expect([response.status, response.headers.get("Location")]).toEqual([201, base + path]);
  });

  it("[WH12] a webhook's callback and keys, or a refusal that says what to set", async () => {
    const body = JSON.stringify({ type: "webhook", pattern: "x/*", webhook: { url: HOOK } });
    const response = await send("PUT", `/v1/stream/test/__ds/subscriptions/${id}`, body);
    const refused = {
      code: "public-url-required",
      hint: expect.stringContaining("PUBLIC_URL") as string,
      error: { code: "PUBLIC_URL_REQUIRED" },
    };
    const made = { webhook: { signing: { jwks_url: `${base}/v1/stream/test/__ds/jwks.json` } } };
    expect(response.status).toBe(isRefused ? 400 : 201);
    expect(await response.json()).toMatchObject(isRefused ? refused : made);
  });

  it("pull-wake calls nobody back, so it needs no public URL", async () => {
    const body = JSON.stringify({ type: "pull-wake", pattern: "x/*", wake_stream: "wake" });
    expect((await send("PUT", `/v1/stream/test/__ds/subscriptions/${id}-pull`, body)).status).toBe(201);
  });
});
