import { describe, expect, it } from "vitest";

import { DEVELOPMENT_URLS, PUBLIC_URLS, REFUSED_URLS } from "../../test/outbound-urls.ts";
import { isForAdmin, parseSecret, parseSettings } from "./settings.ts";
import { matchesPattern } from "./stream-pattern.ts";

const issuer = (jwksUrl: unknown) => ({ issuer: { jwksUrl, issuer: "https://issuer.example/" } });

describe("settings", () => {
  it.each<object>([
    {},
    { corsOrigins: null },
    { corsOrigins: ["*"] },
    { corsOrigins: ["https://app.example.com", "http://localhost:3000"] },
    { publicStreams: ["news/*", "status", "*"] },
    { issuer: null, audience: null },
    { defaults: {} },
    { defaults: { contentType: "application/json", ttlSeconds: 0, retentionSeconds: 1, retentionBytes: null } },
    { ...issuer("https://issuer.example/jwks"), audience: "streams" },
    ...[...PUBLIC_URLS, ...DEVELOPMENT_URLS].map((url) => issuer(url)),
    { limits: { requestsPerMinute: null, appendBytesPerMinute: 1_000_000 } },
    { limits: { streams: 1, streamAppendsPerMinute: 1, streamAppendBytesPerMinute: null } },
    { limits: {} },
  ])("%j are taken", (settings) => {
    expect(parseSettings(settings)).toEqual({ ok: true, settings });
  });

  it.each<object>([
    { unknown: 1 },
    { toString: 1 },
    { name: "other" },
    { secrets: [] },
    { corsOrigins: "*" },
    { corsOrigins: ["app.example.com"] },
    { corsOrigins: ["https://app.example.com/"] },
    { corsOrigins: Array.from({ length: 65 }, () => "*") },
    { publicStreams: null },
    { publicStreams: [""] },
    { publicStreams: ["x".repeat(402)] },
    { issuer: {} },
    { issuer: { ...issuer("https://issuer.example/jwks").issuer, more: 1 } },
    issuer("http://issuer.example/jwks"),
    issuer("https://user:password@issuer.example/jwks"),
    issuer("http://user@localhost:9000/jwks"),
    issuer("http://localhost.issuer.example/jwks"),
    issuer("http://10.0.0.1/jwks"),
    ...REFUSED_URLS.map(([, url]) => issuer(url)),
    issuer("file:///etc/passwd"),
    issuer("issuer.example"),
    issuer(7),
    { defaults: null },
    { defaults: { ttlSeconds: "60" } },
    { defaults: { ttlSeconds: -1 } },
    { defaults: { ttlSeconds: 1.5 } },
    { defaults: { retentionBytes: 0 } },
    { defaults: { contentType: "nonsense" } },
    { defaults: { toString: 1 } },
    { audience: "" },
    { audience: ["a"] },
    { limits: null },
    { limits: [] },
    { limits: { streams: 0 } },
    { limits: { toString: 1 } },
    { limits: { requestsPerMinute: 0, appendBytesPerMinute: null } },
    { limits: { requestsPerMinute: 1.5, appendBytesPerMinute: null } },
    { limits: { requestsPerMinute: 1, appendBytesPerMinute: "1" } },
    { limits: { requestsPerMinute: 1, appendBytesPerMinute: 1, more: 1 } },
  ])("%j are refused", (settings) => {
    expect(parseSettings(settings)).toMatchObject({ ok: false, problem: { code: "settings-invalid" } });
  });
});

it("limits, and an issuer on the server's machine, are for ADMIN_SECRET alone", () => {
  expect(isForAdmin({ limits: null })).toBe(true);
  for (const host of ["localhost:9000", "127.0.0.1", "0x7f.1:9000"]) {
    for (const scheme of ["http", "https"]) expect(isForAdmin(issuer(`${scheme}://${host}/jwks`))).toBe(true);
  }
  for (const url of DEVELOPMENT_URLS) expect(isForAdmin(issuer(url))).toBe(true);
  for (const url of PUBLIC_URLS) {
    expect(isForAdmin(issuer(url))).toBe(false);
  }
  expect(isForAdmin({ audience: "a", ...issuer("https://issuer.example/jwks") })).toBe(false);
  expect(isForAdmin({ issuer: null })).toBe(false);
});

it.each(["short", "x".repeat(513), `${"x".repeat(32)} `, "é".repeat(32), 7, null])(
  "the secret %j is refused",
  (secret) => {
    expect(parseSecret(secret)).toMatchObject({ ok: false, problem: { code: "settings-invalid" } });
  },
);

it.each([
  ["a", "a", true],
  ["a", "a/b", false],
  ["a*", "ab", true],
  ["a/*", "a/b/c", true],
  ["a/*", "a", false],
  ["*", "a", true],
  ["a*b", "axb", false],
  ["a*b", "a*b", true],
  ["A", "a", false],
])("the pattern %s speaks of %s: %s", (pattern, stream, holds) => {
  expect(matchesPattern(pattern, stream)).toBe(holds);
});
