import { isOnlyForLoopback, parseConfig } from "@durable-streams-cloudflare/core/config";
import { describe, expect, it } from "vitest";

import { refuseStranger } from "./only-loopback.ts";

const URL_HERE = "http://localhost:4437/v1/stream/x";
const LOOPBACK = parseConfig({ AUTH_MODE: "none" }).corsOrigins;

interface Sent {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The problem's code, or nothing. */
function refused({ method = "GET", url = URL_HERE, headers = {} }: Sent, corsOrigins = LOOPBACK): string | undefined {
  return refuseStranger({ method, url, headers: new Headers(headers) }, corsOrigins)?.problem.code;
}

describe("[SC13] a request by a name that no stranger can have is served", () => {
  it.each([
    "localhost:4437",
    "LOCALHOST",
    "localhost.",
    "app.localhost:1",
    "127.0.0.1:4437",
    "127.8.9.10",
    "[::1]:4437",
    "streams:4437",
    "10.0.0.1",
    "0.0.0.0",
    "[::2]",
  ])("%s", (host) => expect(refused({ method: "DELETE", url: `http://${host}/x` })).toBeUndefined());
});

describe("[SC13] a request by a public name is misdirected", () => {
  it.each(["rebind.evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "printer.local"])("%s", (host) => {
    for (const path of ["/", "/readyz", "/v1/stream/x"]) {
      expect(refused({ url: `http://${host}:4437${path}` })).toBe("host-refused");
    }
  });
});

it.each(["X-Forwarded-For", "X-Forwarded-Proto", "x-forwarded-host", "Forwarded", "Via", "X-Real-IP"])(
  "[SC13] what a proxy passed on is refused: %s",
  (name) => {
    const { problem } = refuseStranger(
      { method: "GET", url: URL_HERE, headers: new Headers({ [name]: "8.8.8.8" }) },
      LOOPBACK,
    ) ?? { problem: undefined };
    expect(problem).toMatchObject({ code: "unauthenticated", hint: expect.stringContaining("AUTH_MODE:project") });
  },
);

describe.each(["POST", "PUT", "DELETE", "PATCH"])("%s", (method) => {
  it.each<Record<string, string>>([
    {},
    { Origin: "http://localhost:3000" },
    { Origin: "http://127.0.0.1:5173", "Sec-Fetch-Site": "cross-site" },
    { Origin: "https://[::1]:3000" },
    { "Sec-Fetch-Site": "same-origin" },
  ])("is served to programs and pages of this machine: %j", (headers) => {
    expect(refused({ method, headers })).toBeUndefined();
  });

  it.each<Record<string, string>>([
    { Origin: "https://evil.example" },
    { Origin: "http://localhost.evil.example" },
    { Origin: "null" },
    { Origin: "chrome-extension://abc" },
    { "Sec-Fetch-Site": "cross-site" },
  ])("[SC13] is refused to pages of others: %j", (headers) => {
    expect(refused({ method, headers })).toBe("origin-refused");
  });

  it("is served to the origins of CORS_ORIGINS", () => {
    const headers = { Origin: "https://app.example", "Sec-Fetch-Site": "cross-site" };
    expect(refused({ method, headers }, ["https://app.example"])).toBeUndefined();
    expect(refused({ method, headers }, ["*"])).toBeUndefined();
    expect(refused({ method, headers }, ["https://other.example"])).toBe("origin-refused");
  });
});

it("a read is left to the browser, which keeps its answer from the page", () => {
  expect(refused({ headers: { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" } })).toBeUndefined();
});

it("is for servers without tokens, unless they are open to everybody or behind a proxy that has a secret", () => {
  const none = { AUTH_MODE: "none" };
  expect(isOnlyForLoopback(parseConfig(none))).toBe(true);
  expect(isOnlyForLoopback(parseConfig({}))).toBe(false);
  expect(isOnlyForLoopback(parseConfig({ ...none, OPEN_TO: "everybody" }))).toBe(false);
  expect(isOnlyForLoopback(parseConfig({ ...none, ORIGIN_SECRET: "x".repeat(32) }))).toBe(false);
});

it("CORS_ORIGINS defaults to this machine's origins where the server serves this machine only", () => {
  expect(LOOPBACK).toEqual(["loopback"]);
  expect(parseConfig({ AUTH_MODE: "none", OPEN_TO: "everybody" }).corsOrigins).toEqual(["*"]);
  expect(parseConfig({}).corsOrigins).toEqual(["*"]);
  expect(parseConfig({ AUTH_MODE: "none", ORIGIN_SECRET: "x".repeat(32) }).corsOrigins).toEqual(["*"]);
  expect(parseConfig({ AUTH_MODE: "none", CORS_ORIGINS: "*" }).corsOrigins).toEqual(["*"]);
});
