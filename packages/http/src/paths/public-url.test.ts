import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { HttpRequest } from "../ports.ts";
import { publicBaseOf, publicUrlOf, type PublicUrlConfig } from "./public-url.ts";

const SECRET = "a-secret-of-the-proxy-0123456789";
const EVIL = {
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "evil.example",
  Forwarded: "host=evil.example;proto=https",
};

function baseOf(url: string, headers: Record<string, string> = {}, config: Partial<PublicUrlConfig> = {}) {
  const { url: base, isKnown } = publicBaseOf(new Request(url, { headers }), {
    publicUrl: "",
    originSecret: "",
    ...config,
  });
  return [base, isKnown ? "known" : "claimed"];
}

describe("without PUBLIC_URL and without a proven proxy, the request's own URL", () => {
  it.each([
    ["https://streams.example.com/v1/stream/x", "https://streams.example.com", "known"],
    ["http://localhost:4437/v1/stream/x", "http://localhost:4437", "known"],
    ["http://127.0.0.1:4437/v1/stream/x", "http://127.0.0.1:4437", "known"],
    ["http://[::1]:4437/v1/stream/x", "http://[::1]:4437", "known"],
    ["http://evil.example/v1/stream/x", "http://evil.example", "claimed"],
    ["http://localhost.evil.example/v1/stream/x", "http://localhost.evil.example", "claimed"],
    ["http://10.0.0.1/v1/stream/x", "http://10.0.0.1", "claimed"],
  ])("%s is %s, %s, whatever its headers say", (url, base, known) => {
    expect(baseOf(url)).toEqual([base, known]);
    expect(baseOf(url, EVIL)).toEqual([base, known]);
  });
});

describe("PUBLIC_URL is what counts where it is set", () => {
  it.each(["https://streams.example.com", "https://example.com/streams", "http://10.0.0.1:8080"])("%s", (publicUrl) => {
    expect(baseOf("http://evil.example/x", EVIL, { publicUrl })).toEqual([publicUrl, "known"]);
    expect(baseOf("https://a.example/x", EVIL, { publicUrl, originSecret: SECRET })).toEqual([publicUrl, "known"]);
  });
});

describe("a proven proxy says how its clients came", () => {
  const SEEN = "https://origin.workers.dev/v1/stream/x";

  it.each<[string, Record<string, string>, string]>([
    ["both headers", { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "s.example" }, "https://s.example"],
    ["a port", { "X-Forwarded-Proto": "http", "X-Forwarded-Host": "127.0.0.1:8080" }, "http://127.0.0.1:8080"],
    [
      "the scheme's own port",
      { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "s.example:443" },
      "https://s.example",
    ],
    ["an IPv6 address", { "X-Forwarded-Proto": "http", "X-Forwarded-Host": "[::1]:8080" }, "http://[::1]:8080"],
    ["the scheme alone", { "X-Forwarded-Proto": "http" }, "http://origin.workers.dev"],
    ["the host alone", { "X-Forwarded-Host": "S.example" }, "https://s.example"],
    ["lists", { "X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "s.example, a" }, "https://s.example"],
    ["Forwarded", { Forwarded: 'for=192.0.2.1;Proto=http;Host="s.example:81", for=x' }, "http://s.example:81"],
    ["more than one way", { Forwarded: "host=b.example", "X-Forwarded-Host": "s.example" }, "https://s.example"],
    ["nothing", {}, "https://origin.workers.dev"],
    ["a path instead of a host", { "X-Forwarded-Host": "s.example/x" }, "https://origin.workers.dev"],
    ["a user instead of a host", { "X-Forwarded-Host": "u@s.example" }, "https://origin.workers.dev"],
    ["a port that is none", { "X-Forwarded-Host": "s.example:99999" }, "https://origin.workers.dev"],
    ["another scheme", { "X-Forwarded-Proto": "javascript" }, "https://origin.workers.dev"],
  ])("by %s", (_how, headers, base) => {
    expect(baseOf(SEEN, headers, { originSecret: SECRET })).toEqual([base, "known"]);
  });
});

describe("a path as an absolute URL", () => {
  const of = (url: string, publicUrl = ""): string =>
    publicUrlOf(new Request(url), { publicUrl, originSecret: "" }, "/v1/stream/x");

  it("is absolute where the host is known, and the path alone where a client may have made it up", () => {
    expect(of("http://localhost:1/a")).toBe("http://localhost:1/v1/stream/x");
    expect(of("http://evil.example/a")).toBe("/v1/stream/x");
    expect(of("http://evil.example/a", "https://example.com/streams")).toBe("https://example.com/streams/v1/stream/x");
  });

  it("is the path alone where the server itself ends TLS, because then nothing has checked the host", () => {
    const claimed = (url: string): HttpRequest => Object.assign(new Request(url), { isHostClaimed: true });
    const config = { publicUrl: "", originSecret: "" };
    expect(publicUrlOf(claimed("https://evil.example/a"), config, "/v1/stream/x")).toBe("/v1/stream/x");
    expect(publicUrlOf(claimed("https://localhost:1/a"), config, "/v1/stream/x")).toBe(
      "https://localhost:1/v1/stream/x",
    );
  });

  it("contains the path that the server is mounted below, which PUBLIC_URL names itself", () => {
    const mounted = (url: string, headers = {}): HttpRequest =>
      Object.assign(new Request(url, { headers }), { mountPath: "/api" });
    const forwarded = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "streams.example" };
    const cases: readonly (readonly [HttpRequest, Partial<PublicUrlConfig>, string])[] = [
      [mounted("http://localhost:1/a"), {}, "http://localhost:1/api/v1/stream/x"],
      [mounted("http://evil.example/a"), {}, "/api/v1/stream/x"],
      [mounted("http://localhost:1/a", forwarded), { originSecret: "s" }, "https://streams.example/api/v1/stream/x"],
      [mounted("http://localhost:1/a"), { publicUrl: "https://example.com/p" }, "https://example.com/p/v1/stream/x"],
    ];
    for (const [request, config, url] of cases) {
      expect(publicUrlOf(request, { publicUrl: "", originSecret: "", ...config }, "/v1/stream/x")).toBe(url);
    }
  });
});

/** What takes a path or a query out of a request's URL. Absolute URLs are the business of `public-url.ts` alone. */
const PARTS = /(?:\brawPath\(|\bparse\w*\(|\bcorsOrigins\(ports, )[\w.]*\burl\b|\bsearchParams\b/;
const OWN = "paths/public-url.ts";
const SOURCE = join(import.meta.dirname, "..");

describe("no other code makes an absolute URL of a request", () => {
  const lines = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .flatMap((name) =>
      readFileSync(join(SOURCE, name), "utf8")
        .split("\n")
        .map((line) => ({ name, line: line.trim() })),
    );

  it("all other code takes only the path or the query of a request's URL", () => {
    const uses = lines.filter(({ name, line }) => name !== OWN && /\b(?:request|raw|req)\.url\b/.test(line));
    expect(uses.filter(({ line }) => !PARTS.test(line))).toEqual([]);
    expect(uses.length).toBeGreaterThan(8);
  });

  it.each(["Host", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"])("the header %s has one reader", (header) => {
    const readers = lines.filter(({ line }) => new RegExp(`headers\\.(?:get|has)\\("${header}"\\)`, "i").test(line));
    expect([...new Set(readers.map(({ name }) => name))]).toEqual(header === "Host" ? [] : [OWN]);
  });
});
