import { isLoopback } from "@durable-streams-cloudflare/node/config";
import { describe, expect, it } from "vitest";

import { formatBanner, formatExposureWarning, formatUrl } from "./banner.ts";

const url = "http://127.0.0.1:4437";
const dataDir = "/data";
const system = "linux";

describe("formatBanner", () => {
  it("prints four commands that work when pasted", () => {
    const banner = formatBanner({ url, dataDir, settings: { TENANCY: "single", AUTH_MODE: "none" }, system });
    expect(banner.match(/^ {2}curl .*$/gm)).toEqual([
      "  curl -X PUT -H 'Content-Type: application/json' http://localhost:4437/v1/stream/hello",
      `  curl -X POST -H 'Content-Type: application/json' -d '{"text":"hello"}' http://localhost:4437/v1/stream/hello`,
      "  curl 'http://localhost:4437/v1/stream/hello?offset=-1'",
      "  curl -N 'http://localhost:4437/v1/stream/hello?offset=-1&live=sse'",
    ]);
    expect(banner).toContain("/data");
    expect(banner).not.toContain("TOKEN");
  });

  it("prints commands for Windows that cmd.exe and PowerShell both understand", () => {
    const settings = { TENANCY: "single", AUTH_MODE: "none" };
    const banner = formatBanner({ url, dataDir, settings, system: "win32" });
    expect(banner.match(/^ {2}curl.*$/gm)).toEqual([
      '  curl.exe -X PUT -H "Content-Type: application/json" http://localhost:4437/v1/stream/hello',
      '  curl.exe -X POST -H "Content-Type: application/json" -d 42 http://localhost:4437/v1/stream/hello',
      '  curl.exe "http://localhost:4437/v1/stream/hello?offset=-1"',
      '  curl.exe -N "http://localhost:4437/v1/stream/hello?offset=-1&live=sse"',
    ]);
  });

  it("adds the project and the token if the settings need them", () => {
    const banner = formatBanner({ url, dataDir, settings: { TENANCY: "path", AUTH_MODE: "project" }, system });
    expect(banner.match(/^ {2}curl -H "Authorization: Bearer \$TOKEN" .*\/v1\/stream\/demo\/hello/gm)).toHaveLength(4);
    expect(banner).toContain("set TOKEN");
  });
});

it.each([
  ["127.0.0.1", url],
  ["0.0.0.0", url],
  ["::", "http://[::1]:4437"],
  ["localhost", "http://localhost:4437"],
  ["192.168.1.5", "http://192.168.1.5:4437"],
])("reaches %s at %s", (host, expected) => {
  expect(formatUrl(host, 4437)).toBe(expected);
});

it("warns only if the server is open to other machines", () => {
  expect(formatExposureWarning("127.0.0.1", { AUTH_MODE: "none" })).toBe("");
  expect(formatExposureWarning("0.0.0.0", { AUTH_MODE: "project" })).toBe("");
  expect(formatExposureWarning("0.0.0.0", { AUTH_MODE: "none" })).toContain("DANGER");
  expect(["127.1.2.3", "::1", "localhost"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "127.example.com", "10.0.0.1"].some(isLoopback)).toBe(false);
});
