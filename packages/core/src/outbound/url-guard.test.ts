import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { DEVELOPMENT_URLS, PUBLIC_URLS, REFUSED_URLS } from "../../test/outbound-urls.ts";
import { faultOfUrl } from "./url-guard.ts";

const OWN = "streams.shop.com";

function verdict(url: string, allowsLoopback = false): string {
  return faultOfUrl(url, { allowsLoopback, ownHosts: [OWN] }) === undefined ? "sent" : "refused";
}

describe("[WH10] requests are sent", () => {
  it.each(PUBLIC_URLS)("to %s", (url) => {
    expect(verdict(url)).toBe("sent");
    expect(verdict(url, true)).toBe("sent");
  });

  it.each(DEVELOPMENT_URLS)("to %s in development only", (url) => {
    expect([verdict(url), verdict(url, true)]).toEqual(["refused", "sent"]);
  });
});

describe("[WH10] requests are never sent", () => {
  it.each(REFUSED_URLS)("%s", (_what, url) => {
    expect([verdict(url), verdict(url, true)]).toEqual(["refused", "refused"]);
  });
});

it.each([
  ["https://streams.shop.com/v1/stream/x"],
  ["https://streams.shop.com:443/"],
  ["https://STREAMS.shop.com./"],
  ["http://localhost:4437/"],
  ["http://127.0.0.1:4437/v1/stream/x"],
  ["https://127.0.0.7:4437/"],
])("[WH10] %s is this server itself, and is sent nothing", (url) => {
  const ownHosts = [OWN, "localhost:4437"];
  expect(faultOfUrl(url, { allowsLoopback: true, ownHosts })?.detail).toBe("The URL points back to this server.");
});

it("[WH10] nothing is fetched without passing the guard", () => {
  const packages = join(import.meta.dirname, "../../..");
  const files = ["core", "http", "server"].flatMap((name) =>
    readdirSync(join(packages, name, "src"), { recursive: true, encoding: "utf8" }).map(
      (file) => `${name}/src/${file}`,
    ),
  );
  const fetching = files
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .filter((name) => /(?:await|return|=>|=|globalThis\.)\s*fetch\(/.test(readFileSync(join(packages, name), "utf8")));
  expect(fetching).toEqual(["http/src/outbound/bounded-fetch.ts"]);
});
