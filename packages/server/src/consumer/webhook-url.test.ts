import { describe, expect, it } from "vitest";

import { refuseWebhookUrl } from "./webhook-url.ts";

const OWN = "streams.shop.com";

function verdict(url: string, allowsLoopback = false): string {
  return refuseWebhookUrl(url, allowsLoopback, OWN)?.problem.code ?? "sent";
}

describe("[H65] webhooks are sent", () => {
  it.each([
    "https://worker.shop.com/hooks",
    "https://worker.shop.com:443/hooks?key=1",
    "https://WORKER.shop.com./",
    "https://93.184.215.14/",
    "https://b\u00fccher.de/",
  ])("to %s", (url) => {
    expect(verdict(url)).toBe("sent");
    expect(verdict(url, true)).toBe("sent");
  });

  it.each([
    "http://localhost:8787/x",
    "http://127.0.0.1:1/",
    "http://127.0.0.9/",
    "https://localhost/",
    "http://0x7f.1/",
  ])("to %s in development only", (url) => {
    expect([verdict(url), verdict(url, true)]).toEqual(["webhook-url-rejected", "sent"]);
  });
});

describe("[H65] webhooks are never sent", () => {
  it.each<[string, string]>([
    ["by plain HTTP", "http://worker.shop.com/"],
    ["by another protocol", "ftp://worker.shop.com/"],
    ["to a file", "file:///etc/passwd"],
    ["to what is no URL", "worker.shop.com"],
    ["to what only a lenient parser takes for a URL", "https://worker.shop.com\\@10.0.0.1/"],
    ["to what has a line break in it", "https://worker.shop\n.com/"],
    ["with a password", "https://user:secret@worker.shop.com/"],
    ["with a user name", "https://user@worker.shop.com/"],
    ["to another port", "https://worker.shop.com:22/"],
    ["back to this server", `https://${OWN}/v1/stream/x`],
    ["to RFC 1918, 10/8", "https://10.0.0.1/"],
    ["to RFC 1918, 172.16/12", "https://172.31.255.255/"],
    ["to RFC 1918, 192.168/16", "https://192.168.1.1/"],
    ["to link-local, where clouds keep their metadata", "https://169.254.169.254/latest/meta-data"],
    ["to carrier-grade NAT", "https://100.64.0.1/"],
    ["to nowhere", "https://0.0.0.0/"],
    ["to many", "https://224.0.0.1/"],
    ["to everybody", "https://255.255.255.255/"],
    ["to a private address as one number", "https://167772161/"],
    ["to a private address in hexadecimal", "https://0xa000001/"],
    ["to a private address in octal", "https://012.0.0.1/"],
    ["to a private address that is short", "https://10.1/"],
    ["to a private address in full-width digits", "https://\uff11\uff10.0.0.1/"],
    ["to IPv6 loopback", "https://[::1]/"],
    ["to IPv6 of its own site", "https://[fd00::1]/"],
    ["to IPv6 link-local", "https://[fe80::1]/"],
    ["to IPv4 in IPv6", "https://[::ffff:10.0.0.1]/"],
    ["to any other loopback address", "http://127.1.2.3/"],
    ["to a name below localhost", "https://foo.localhost/"],
    ["to localhost with a dot behind it", "https://localhost./"],
    ["to a name without a domain", "https://intranet/"],
    ["to a cloud's metadata by name", "https://metadata.google.internal/"],
    ["to a name of this network", "https://printer.local/"],
    ["to a home network", "https://nas.home.arpa/"],
  ])("%s", (_what, url) => {
    expect([verdict(url), verdict(url, true)]).toEqual(["webhook-url-rejected", "webhook-url-rejected"]);
  });
});
