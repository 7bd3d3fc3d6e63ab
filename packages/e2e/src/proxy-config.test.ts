/** What the proxy's image is made of, and what its variables become. */
import { accessSync, chmodSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SETTINGS } from "@durable-streams-cloudflare/core/config";
import { PROBLEMS } from "@durable-streams-cloudflare/protocol";
import { afterAll, describe, expect, it } from "vitest";

import { proxyConfig, type ProxySettings } from "./proxy-config.ts";

const PROXY = join(import.meta.dirname, "../../proxy");
const ORIGIN = "https://streams.example.workers.dev";
const dockerfile = readFileSync(join(PROXY, "Dockerfile"), "utf8");
const stubs = mkdtempSync(join(tmpdir(), "nginx-stub-"));

afterAll(() => rmSync(stubs, { recursive: true }));

/** The configuration for an nginx that says that it has this version. */
function configFor(version: string, settings: ProxySettings = { ORIGIN }): string {
  const stub = join(stubs, "nginx");
  writeFileSync(stub, `#!/bin/sh\necho 'nginx version: nginx/${version}' >&2\n`);
  chmodSync(stub, 0o755);
  return proxyConfig(settings, `${stubs}:${process.env.PATH ?? ""}`);
}

/** A directive's arguments. */
function valueOf(config: string, directive: string): string | undefined {
  return new RegExp(`^ *${directive} (.*);$`, "m").exec(config)?.[1];
}

describe("the image", () => {
  it("copies files that exist; the entrypoint skips settings that are not executable", () => {
    const copied = [...dockerfile.matchAll(/^COPY (\S+) \S+$/gm)].map(([, file]) => file ?? "");
    expect(copied).toEqual(["17-settings.envsh", "nginx.conf.template"]);
    for (const file of copied) accessSync(join(PROXY, file), constants.R_OK);
    accessSync(join(PROXY, "17-settings.envsh"), constants.X_OK);
  });

  it("is made of one version of nginx, does not run as root, and has no secret in it", () => {
    expect(dockerfile).toMatch(/^FROM nginx:\d+\.\d+\.\d+-alpine$/m);
    expect(dockerfile).toMatch(/^USER 101:101$/m);
    expect(dockerfile).not.toMatch(/SECRET|^ARG/m);
  });

  it("reports its health at the path that the configuration answers", () => {
    const path = /^ {2}CMD wget .*\$\{PORT\}(\/\S+)"$/m.exec(dockerfile)?.[1];
    expect(configFor("1.30.6")).toContain(`location = ${path} {`);
  });
});

describe("the documentation", () => {
  it("lists the variables that there are, with their default values", () => {
    const readme = readFileSync(join(PROXY, "README.md"), "utf8");
    const settings = readFileSync(join(PROXY, "17-settings.envsh"), "utf8");
    const rows = new Map(
      [...readme.matchAll(/^\| `([A-Z_\d]+)` +\| (\S*) /gm)].map(([, name, initial]) => [name ?? "", initial ?? ""]),
    );
    const read = [...settings.matchAll(/\$\{((?!PROXY_)[A-Z_\d]+):-([^}$]*)/g)];
    expect(new Set(rows.keys())).toEqual(new Set(read.map(([, name]) => name)));
    for (const [, name = "", initial = ""] of read) {
      expect({ name, initial: rows.get(name)?.replaceAll("`", "") }).toEqual({
        name,
        initial: name === "RESOLVERS" ? "those" : initial,
      });
    }
  });

  it("has a cache rule for GET of streams that lets the origin decide, in any order of the query", () => {
    const text = readFileSync(join(PROXY, "cloudflare-cache-rule.json"), "utf8");
    const { rules } = JSON.parse(text) as { rules: { expression: string; action_parameters: object }[] };
    expect(rules).toHaveLength(1);
    // The cache would ask the origin by GET for what it is asked by HEAD.
    expect(rules[0]?.expression).toBe(
      'http.request.method eq "GET" and starts_with(http.request.uri.path, "/v1/stream/")',
    );
    expect(rules[0]?.action_parameters).toMatchObject({
      cache: true,
      edge_ttl: { mode: "bypass_by_default" },
      cache_key: { ignore_query_strings_order: true },
    });
  });
});

describe("the configuration", () => {
  it("has a value for each variable, and leaves those of nginx alone", () => {
    const config = configFor("1.30.6");
    expect(config.replaceAll(/^ *#.*$/gm, "")).not.toContain("${");
    for (const variable of ["$remote_addr", "$http_host", "$uri"]) expect(config).toContain(variable);
  });

  it.each([
    ["1.22.1", "streams.example.workers.dev:443 max_fails=0 "],
    ["1.27.2", "streams.example.workers.dev:443 max_fails=0 "],
    ["1.27.3", "streams.example.workers.dev:443 max_fails=0 resolve"],
    ["1.30.6", "streams.example.workers.dev:443 max_fails=0 resolve"],
    ["2.0.0", "streams.example.workers.dev:443 max_fails=0 resolve"],
  ])("nginx %s follows the addresses of a name if it can, and differs in nothing else", (version, server) => {
    const config = configFor(version);
    expect(valueOf(config, "server")).toBe(server);
    expect(config.replace(" resolve;", " ;")).toBe(configFor("1.22.1"));
  });

  it.each([
    ["https://a.example", "https://origin", "a.example:443", "a.example"],
    ["https://a.example/", "https://origin", "a.example:443", "a.example"],
    ["https://a.example:8443", "https://origin", "a.example:8443", "a.example:8443"],
    ["http://a.example", "http://origin", "a.example:80", "a.example"],
    ["http://10.0.0.1:4437", "http://origin", "10.0.0.1:4437", "10.0.0.1:4437"],
  ])("ORIGIN %s", (origin, pass, server, host) => {
    const config = configFor("1.22.1", { ORIGIN: origin });
    expect(valueOf(config, "proxy_pass")).toBe(pass);
    expect(valueOf(config, "server")).toContain(`${server} `);
    expect(valueOf(config, "proxy_set_header Host")).toBe(host);
    expect(valueOf(config, "proxy_ssl_name")).toBe(server.split(":")[0]);
  });

  it("an address is not looked up, whatever nginx can do", () => {
    expect(valueOf(configFor("1.30.6", { ORIGIN: "http://10.0.0.1:4437" }), "server")).not.toContain("resolve");
  });

  it.each([
    [{}, "ORIGIN"],
    [{ ORIGIN: "" }, "ORIGIN"],
    [{ ORIGIN: "streams.example" }, "ORIGIN"],
    [{ ORIGIN: "ftp://streams.example" }, "ORIGIN"],
    [{ ORIGIN: "https://" }, "ORIGIN"],
    [{ ORIGIN: "https://:443" }, "ORIGIN"],
    [{ ORIGIN: "https://a.example:" }, "ORIGIN"],
    [{ ORIGIN: "https://a.example:http" }, "ORIGIN"],
    [{ ORIGIN: "https://a.example/v1" }, "ORIGIN"],
    [{ ORIGIN: "https://user@a.example" }, "ORIGIN"],
    [{ ORIGIN: "https://a.example; return 200" }, "ORIGIN"],
    [{ ORIGIN, PORT: "80 default" }, "PORT"],
    [{ ORIGIN, BODY_BYTES_MAX: "32m" }, "BODY_BYTES_MAX"],
    [{ ORIGIN, TIMEOUT_SECONDS: "1.5" }, "TIMEOUT_SECONDS"],
    [{ ORIGIN, IDLE_SECONDS: "-1" }, "IDLE_SECONDS"],
    [{ ORIGIN, WORKERS: "many" }, "WORKERS"],
    [{ ORIGIN, LOG_LEVEL: "loud" }, "LOG_LEVEL"],
    [{ ORIGIN, ORIGIN_IPV6: "yes" }, "ORIGIN_IPV6"],
    [{ ORIGIN, ORIGIN_CA_FILE: "/a;b" }, "ORIGIN_CA_FILE"],
    [{ ORIGIN, RESOLVERS: "dns.example" }, "RESOLVERS"],
    [{ ORIGIN, TRUSTED_PROXIES: "cloudflare everybody" }, "TRUSTED_PROXIES"],
  ])("%j ends the start with the name of what is wrong", (settings, name) => {
    expect(() => configFor("1.30.6", settings)).toThrow(new RegExp(`^durable-streams proxy: .*${name} `));
  });

  it("a secret that nginx would read as something else is refused, and not repeated", () => {
    const secret = 'a"secret$host';
    const render = (): string => configFor("1.30.6", { ORIGIN, ORIGIN_SECRET: secret });
    expect(render).toThrow("ORIGIN_SECRET must contain only");
    expect(render).not.toThrow(secret);
  });

  it.each([
    [{}, "CF-Connecting-IP", "2606:4700::/32", 22],
    [{ TRUSTED_PROXIES: "10.0.0.0/8 fd00::/8" }, "X-Forwarded-For", "fd00::/8", 2],
    [{ TRUSTED_PROXIES: "cloudflare 10.0.0.0/8" }, "X-Forwarded-For", "10.0.0.0/8", 23],
  ])("%j: who may say what a client's address is, and how", (settings, header, range, ranges) => {
    const config = configFor("1.30.6", { ORIGIN, ...settings });
    expect(valueOf(config, "real_ip_header")).toBe(header);
    expect(config).toContain(` set_real_ip_from ${range};`);
    expect(config.match(/set_real_ip_from/g)).toHaveLength(ranges);
  });

  it("nobody does with TRUSTED_PROXIES none", () => {
    expect(configFor("1.30.6", { ORIGIN, TRUSTED_PROXIES: "none" })).not.toContain("set_real_ip_from");
  });
});

describe("against the server's settings", () => {
  const config = configFor("1.30.6");

  it.each(["proxy_read_timeout", "send_timeout"])("%s is longer than the server is ever silent", (directive) => {
    const seconds = Number.parseInt(valueOf(config, directive) ?? "", 10);
    expect(seconds).toBeGreaterThan(SETTINGS.LONG_POLL_TIMEOUT_MS.max / 1000);
    expect(seconds).toBeGreaterThan(SETTINGS.SSE_HEARTBEAT_SECONDS.max);
  });

  it("a body that the server may take gets to it", () => {
    expect(Number(valueOf(config, "client_max_body_size"))).toBeGreaterThan(SETTINGS.APPEND_BYTES_MAX.max);
  });

  it.each(["body-too-large", "origin-unreachable"] as const)("the proxy's own %s is as in the table", (code) => {
    const { status, title, retry, effects } = PROBLEMS[code];
    const type = `urn:durable-streams-cloudflare:problem:${code}`;
    const body = [...config.matchAll(/return (\d+) '(\{"type".*\})';/g)].find(([, , json]) => json?.includes(code));
    expect(Number(body?.[1])).toBe(status);
    expect(JSON.parse(body?.[2] ?? "")).toMatchObject({ type, title, status, code, retry, effects });
  });
});
