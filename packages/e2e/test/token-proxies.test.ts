/** The proxies of packages/proxy/trusted-header: a token of an identity provider, the proxy, and the server behind it. */
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { EventStream } from "../src/event-stream.ts";
import { sendRaw } from "../src/raw-http.ts";
import { startRecordingOrigin, type RecordingOrigin } from "../src/recording-origin.ts";
import { append, codeOf, create, get, nextOffset, send, TEXT } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";
import { hasProxy, startTokenProxy, type ProxyKind, type TokenProxy } from "../src/token-proxy.ts";

const ORIGIN_SECRET = "a-secret-of-the-proxy-0123456789";
const ISSUER = "https://issuer.example/";
const AUDIENCE = "durable-streams";
const KID = "key-1";

const KINDS: readonly ProxyKind[] = ["nginx", "caddy"];

const server = useServer({ TENANCY: "single", AUTH_MODE: "trusted-header", ORIGIN_SECRET });
let keys: RecordingOrigin;
let privateKey: CryptoKey;
let foreignKey: CryptoKey;

beforeAll(async () => {
  const pair = await generateKeyPair("ES256");
  ({ privateKey } = pair);
  ({ privateKey: foreignKey } = await generateKeyPair("ES256"));
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: KID, alg: "ES256" }] });
  keys = await startRecordingOrigin((_, response) => response.end(jwks));
});
afterAll(() => keys.stop());

const MANAGER = { sub: "alice", scope: "manage" };
const READER = { sub: "bob", scope: "read" };

function tokenOf(claims: JWTPayload, key: CryptoKey = privateKey, exp: number | string = "10m"): Promise<string> {
  const jwt = new SignJWT({ iss: ISSUER, aud: AUDIENCE, ...claims }).setProtectedHeader({ alg: "ES256", kid: KID });
  return jwt.setExpirationTime(exp).sign(key);
}

async function bearer(claims: JWTPayload): Promise<Record<string, string>> {
  return { Authorization: `Bearer ${await tokenOf(claims)}` };
}

/** What a client sends that would like to be somebody else. */
const FORGED = {
  "X-JWT-Sub": "mallory",
  "X-JWT-Exp": "4000000000",
  "X-JWT-Scope": "manage",
  "X-JWT-Stream-Id": "*",
};

describe.each(KINDS)("%s", (kind) => {
  describe.skipIf(!hasProxy(kind))("in front of the server", () => {
    let proxy: TokenProxy;

    beforeAll(async () => {
      const common = { server: server.url, originSecret: ORIGIN_SECRET, jwksUrl: keys.url };
      proxy = await startTokenProxy(kind, { ...common, issuer: ISSUER, audience: AUDIENCE });
    });
    afterAll(async () => proxy?.stop());

    const newUrl = (): string => server.newUrl().replace(server.url, proxy.url);

    async function newStream(body: string): Promise<string> {
      const url = newUrl();
      await create(url, { headers: { ...TEXT, ...(await bearer(MANAGER)) }, body });
      return url;
    }

    it("a valid token creates, appends and reads, as far as its claims go", async () => {
      const url = await newStream("first");
      expect((await append(url, "second", await bearer(MANAGER))).status).toBe(204);
      expect((await get(url, await bearer(READER))).text).toBe("firstsecond");
      expect((await append(url, "third", await bearer(READER))).status).toBe(403);
      const other = { ...MANAGER, stream_id: "another" };
      expect((await get(url, await bearer(other))).status).toBe(403);
      const name = url.split("/").at(-1);
      const rights = { sub: "bob", rights: [{ streams: name, scope: "read" }] };
      expect((await get(url, await bearer(rights))).text).toBe("firstsecond");
      expect((await append(url, "third", await bearer(rights))).status).toBe(403);
    });

    it("events arrive one by one, each before the next is appended", async () => {
      const url = await newStream("first");
      const events = await EventStream.open(`${url}?offset=-1&live=sse`, await bearer(READER));
      expect(await events.data()).toBe("first");
      await events.control();
      for (const text of ["second", "third"]) {
        await append(url, text, await bearer(MANAGER));
        expect(await events.data()).toBe(text);
        await events.control();
      }
      events.close();
    });

    it("a long-poll is answered by an append", async () => {
      const url = await newStream("first");
      const offset = nextOffset(await get(url, await bearer(READER)));
      const polled = get(`${url}?offset=${offset}&live=long-poll`, await bearer(READER));
      await append(url, "second", await bearer(MANAGER));
      expect((await polled).text).toBe("second");
    });

    it("a token that is not valid is refused by the proxy, and reaches nothing", async () => {
      const url = await newStream("secret");
      const exp = Math.floor(Date.now() / 1000) - 300;
      const tokens = [
        "",
        "nonsense",
        await tokenOf(MANAGER, foreignKey),
        await tokenOf(MANAGER, privateKey, exp),
        await tokenOf({ ...MANAGER, aud: "another" }),
        await tokenOf({ ...MANAGER, iss: "https://another.example/" }),
        await tokenOf({ scope: "manage" }),
        new UnsecuredJWT({ iss: ISSUER, aud: AUDIENCE, ...MANAGER }).setExpirationTime("10m").encode(),
      ];
      for (const token of tokens) {
        for (const headers of [{}, FORGED, { ...FORGED, "Stream-Origin-Secret": "x".repeat(32) }]) {
          const answer = await get(url, { ...headers, Authorization: `Bearer ${token}` });
          expect([token, answer.status, codeOf(answer)]).toEqual([token, 401, "unauthenticated"]);
          expect(answer.text).toContain("The proxy did not accept the token.");
        }
      }
      expect((await get(url, FORGED)).status).toBe(401);
    });

    it("[PJ17] a client that sends claims of its own gains nothing by them", async () => {
      const url = await newStream("first");
      const tail = nextOffset(await get(url, await bearer(READER)));
      const rights = Buffer.from(JSON.stringify([{ streams: "*", scope: "manage" }])).toString("base64url");
      const forgeries = [
        FORGED,
        { ...FORGED, "X-JWT-Rights": rights },
        { "X-JWT-Rights": rights },
        { "x-jwt-scope": "manage" },
      ];
      for (const forged of forgeries) {
        expect((await append(url, "forged", { ...(await bearer(READER)), ...forged })).status).toBe(403);
        expect((await get(url, { ...(await bearer(READER)), ...forged })).text).toBe("first");
      }
      const own = { "Stream-Origin-Secret": "x".repeat(32) };
      expect((await get(url, { ...(await bearer(READER)), ...own })).status).toBe(200);
      expect(nextOffset(await get(url, await bearer(READER)))).toBe(tail);
    });

    it.each(Object.keys(FORGED))(
      "a client that has %s removed as a header of its connection gains nothing",
      async (name) => {
        const url = await newStream("first");
        const narrow = await bearer({ ...MANAGER, scope: "read", stream_id: "another" });
        const headers = { ...narrow, ...FORGED, Connection: `close, ${name}` };
        const { status, text } = await sendRaw({
          method: "GET",
          server: proxy.url,
          path: new URL(url).pathname,
          headers,
        });
        expect([401, 403]).toContain(status);
        expect(text).not.toContain("first");
      },
    );

    it("past the proxy there is nothing to gain, with claims or with a token", async () => {
      const url = await newStream("first");
      const direct = url.replace(proxy.url, server.url);
      for (const headers of [{}, FORGED, await bearer(MANAGER), { ...FORGED, ...(await bearer(MANAGER)) }]) {
        const answer = await get(direct, headers);
        expect([answer.status, codeOf(answer)]).toEqual([401, "proxy-required"]);
      }
    });

    it("a browser's preflight, which has no token, is answered", async () => {
      const headers = { "Access-Control-Request-Method": "PUT", Origin: "https://app.example" };
      const { status, headers: answered } = await send("OPTIONS", newUrl(), { headers });
      expect([status, answered.get("Access-Control-Allow-Origin")]).toEqual([204, "*"]);
    });
  });
});
