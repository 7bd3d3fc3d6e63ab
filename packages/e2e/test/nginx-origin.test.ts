/** The nginx of packages/proxy in front of any origin: what it passes on, and what it answers itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { PROBLEMS } from "@durable-streams-cloudflare/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { selfSigned } from "../src/certificate.ts";
import { faultsOf, type NginxProxy } from "../src/nginx.ts";
import { proxyConfig } from "../src/proxy-config.ts";
import { sendRaw } from "../src/raw-http.ts";
import type { Recorded, RecordingOrigin } from "../src/recording-origin.ts";
import { codeOf, get, header } from "../src/requests.ts";
import { hasNginx, useProxies } from "../src/test-proxy.ts";

const SECRET = "a-secret-of-the-proxy-0123456789";
const proxies = useProxies();

async function recordOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Recorded> {
  const { status, text } = await get(url, headers);
  if (status !== 200) throw new Error(`GET ${url} was ${status}: ${text}`);
  return JSON.parse(text) as Recorded;
}

describe.skipIf(!hasNginx())("nginx", () => {
  let origin: RecordingOrigin;
  let proxy: NginxProxy;

  beforeAll(async () => {
    origin = await proxies.origin();
    proxy = await proxies.proxy({ ORIGIN: origin.url });
  });

  it.each([
    { ORIGIN: "http://127.0.0.1:4437" },
    { ORIGIN: "https://localhost", RESOLVERS: "1.1.1.1 [2606:4700:4700::1111]", ORIGIN_IPV6: "on" },
    { ORIGIN: "https://localhost", ORIGIN_SECRET: SECRET, TRUSTED_PROXIES: "cloudflare 10.0.0.0/8" },
    { ORIGIN: "https://localhost", TRUSTED_PROXIES: "none", LOG_LEVEL: "info" },
  ])("has nothing against %j", (settings) => {
    expect(faultsOf(proxyConfig(settings))).toBe("");
  });

  it("reports its health, whatever its origin does", async () => {
    const alone = await proxies.proxy({ ORIGIN: "http://127.0.0.1:1" });
    const answer = await get(`${alone.url}/-/health`);
    expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}']);
    expect(header(answer, "Cache-Control")).toBe("no-store");
  });

  describe("an origin that cannot be reached is a problem to repeat", () => {
    async function expectUnreachable(url: string): Promise<void> {
      const answer = await get(url);
      expect([answer.status, codeOf(answer)]).toEqual([502, "origin-unreachable"]);
      expect(header(answer, "Content-Type")).toBe("application/problem+json");
      expect(header(answer, "Cache-Control")).toBe("no-store");
      expect(header(answer, "Retry-After")).toBe("1");
      expect(header(answer, "Access-Control-Allow-Origin")).toBe("*");
    }

    it("refused", async () => expectUnreachable(`${(await proxies.proxy({ ORIGIN: "http://127.0.0.1:1" })).url}/`));

    it("silent for longer than the time-out", async () => {
      const silent = await proxies.origin(() => undefined);
      await expectUnreachable(`${(await proxies.proxy({ ORIGIN: silent.url, TIMEOUT_SECONDS: 2 })).url}/`);
    });
  });

  it("passes the path and the query on byte for byte", async () => {
    for (const path of ["/v1/stream/a%2Fb/%C3%A4//c?live=sse&offset=-1&cursor=1", "/a/../b/./c?z=1&a=%20+b&a=", "/?"]) {
      const { text } = await sendRaw({ method: "GET", server: proxy.url, path });
      expect((JSON.parse(text) as Recorded).url).toBe(path);
    }
  });

  it("passes on headers, but not those of the connection", async () => {
    const passed = {
      accept: "text/event-stream",
      authorization: "Bearer x",
      "cdn-loop": "cloudflare",
      "if-none-match": '"x"',
      origin: "https://app.example",
      "producer-id": "p",
      range: "bytes=0-1",
    };
    const own = { connection: "keep-alive", "keep-alive": "timeout=9", te: "trailers", upgrade: "websocket" };
    const answer = await sendRaw({ method: "GET", server: proxy.url, path: "/", headers: { ...passed, ...own } });
    const { headers } = JSON.parse(answer.text) as Recorded;
    expect(headers).toMatchObject({ ...passed, host: new URL(origin.url).host });
    expect(headers["x-forwarded-host"]).toBe(new URL(proxy.url).host);
    expect(headers.connection).not.toBe("close");
    for (const name of ["keep-alive", "te", "upgrade"]) expect(headers).not.toHaveProperty(name);
  });

  it.each([
    { sent: {}, proto: "http" },
    { sent: { "X-Forwarded-Proto": "https" }, proto: "https" },
    { sent: { "X-Forwarded-Proto": "https, http" }, proto: "https" },
    { sent: { "X-Forwarded-Proto": "gopher" }, proto: "http" },
  ])("says by which URL the client came: $sent", async ({ sent, proto }) => {
    const headers = { ...sent, Forwarded: "host=evil.example;proto=https", "X-Forwarded-Host": "evil.example" };
    const record = await recordOf(`${proxy.url}/`, headers);
    expect(record.headers["x-forwarded-proto"]).toBe(proto);
    expect(record.headers["x-forwarded-host"]).toBe(new URL(proxy.url).host);
    expect(record.headers).not.toHaveProperty("forwarded");
  });

  it("passes a body on while it comes", async () => {
    const begun = Promise.withResolvers<void>();
    const reader = await proxies.origin((request, response) => {
      request.once("data", () => begun.resolve());
      request.once("end", () => response.end("read")).resume();
    });
    const { url } = await proxies.proxy({ ORIGIN: reader.url });
    async function* chunks() {
      yield "first";
      await begun.promise;
      yield "second";
    }
    expect((await sendRaw({ method: "POST", server: url, path: "/", chunks: chunks() })).text).toBe("read");
  });

  it("passes a response on while it comes", async () => {
    const CHUNKS = ["first", "second", "third"];
    const seen = CHUNKS.map(() => Promise.withResolvers<void>());
    const writer = await proxies.origin((_, response) => {
      // Of a type that nginx would compress, if it compressed any.
      response.setHeader("Content-Type", "text/html").write(CHUNKS[0]);
      void seen[0]?.promise.then(() => response.write(CHUNKS[1]));
      void seen[1]?.promise.then(() => response.end(CHUNKS[2]));
    });
    const { body } = await fetch((await proxies.proxy({ ORIGIN: writer.url })).url);
    const read: string[] = [];
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      seen[read.length]?.resolve();
      read.push(chunk);
    }
    expect(read).toEqual(CHUNKS);
  });

  it("passes on to the next proxy what a response says about buffering", async () => {
    const sse = await proxies.origin((_, response) => response.setHeader("X-Accel-Buffering", "no").end());
    const answer = await get(`${(await proxies.proxy({ ORIGIN: sse.url })).url}/`);
    expect(header(answer, "X-Accel-Buffering")).toBe("no");
  });

  it("logs no query, which may be a right to read", async () => {
    await get(`${proxy.url}/v1/stream/x?token=of-a-signed-url`);
    await expect.poll(() => proxy.log()).toContain('"path":"/v1/stream/x"');
    expect(proxy.log()).not.toContain("of-a-signed-url");
  });

  describe("the client's address", () => {
    const FORGED = {
      "CF-Connecting-IP": "203.0.113.7",
      "X-Forwarded-For": "198.51.100.1, 203.0.113.8, 10.1.2.3",
      "X-Real-IP": "203.0.113.9",
      "True-Client-IP": "203.0.113.9",
    };
    /** A neighbour as one of Cloudflare's machines. */
    const amongCloudflare = (config: string): string => config.replace("173.245.48.0/20", "127.0.0.0/8");

    it.each([
      { about: "of the connection, when that is not from Cloudflare", settings: {}, address: "127.0.0.1" },
      {
        about: "of the connection, when nobody is trusted",
        settings: { TRUSTED_PROXIES: "none" },
        address: "127.0.0.1",
      },
      { about: "of Cloudflare's header", settings: {}, edit: amongCloudflare, address: "203.0.113.7" },
      {
        about: "the last of X-Forwarded-For that no trusted proxy has",
        settings: { TRUSTED_PROXIES: "127.0.0.1 10.0.0.0/8" },
        address: "203.0.113.8",
      },
    ])("is that $about", async ({ settings, edit, address }) => {
      const { url } = await proxies.proxy({ ORIGIN: origin.url, ...settings }, edit);
      const { headers } = await recordOf(url, FORGED);
      expect([headers["x-forwarded-for"], headers["x-real-ip"]]).toEqual([address, address]);
      expect(headers).not.toHaveProperty("cf-connecting-ip");
      expect(headers).not.toHaveProperty("true-client-ip");
    });
  });

  describe("TLS to the origin", () => {
    const workDir = mkdtempSync(join(tmpdir(), "proxy-ca-"));
    const certificates = {
      good: selfSigned("localhost"),
      other: selfSigned("localhost"),
      named: selfSigned("a.example"),
    };
    afterAll(() => rmSync(workDir, { recursive: true, force: true }));

    /** A proxy that trusts one certificate, in front of an origin that has another, or the same. */
    async function overTls(own: keyof typeof certificates, trusted: keyof typeof certificates): Promise<NginxProxy> {
      const { port } = await proxies.origin(undefined, certificates[own]);
      const caFile = join(workDir, `${trusted}.pem`);
      writeFileSync(caFile, certificates[trusted].cert);
      return proxies.proxy({ ORIGIN: `https://localhost:${port}`, ORIGIN_CA_FILE: caFile });
    }

    it("names the host, and checks the certificate", async () => {
      const { url } = await overTls("good", "good");
      const { serverName, headers } = await recordOf(`${url}/`);
      expect(serverName).toBe("localhost");
      expect(headers.host).toMatch(/^localhost:\d+$/);
    });

    it.each([
      { about: "nobody vouches for", own: "good", trusted: "other", reason: "certificate verify" },
      { about: "is for another name", own: "named", trusted: "named", reason: "does not match" },
    ] as const)("a certificate that $about is refused", async ({ own, trusted, reason }) => {
      const refusing = await overTls(own, trusted);
      const answer = await get(`${refusing.url}/`);
      expect(answer.status).toBe(PROBLEMS["origin-unreachable"].status);
      expect(refusing.log()).toContain(reason);
    });
  });
});
