/** What browsers may send and read. */
import { describe, expect, it } from "vitest";

import { create, get, header, send, TEXT } from "../../src/requests.ts";
import { useServer } from "../../src/test-server.ts";

const open = useServer({ CORS_ORIGINS: "*" });
const listed = useServer({ CORS_ORIGINS: "https://app.example.com, http://localhost:3000" });

const ALLOWED = `content-type authorization stream-seq stream-ttl stream-expires-at stream-closed producer-id producer-epoch
  producer-seq stream-forked-from stream-fork-offset stream-fork-sub-offset if-none-match if-match content-encoding accept
  cache-control last-event-id traceparent`;
const EXPOSED = `stream-next-offset stream-cursor stream-up-to-date stream-closed producer-epoch producer-seq
  producer-expected-seq producer-received-seq etag content-type content-encoding vary location stream-sse-data-encoding
  retry-after stream-ttl stream-expires-at cache-control content-length allow server-timing`;

function words(text: string): string[] {
  return text.split(/\s+/);
}

function list(answer: { headers: Headers }, name: string): string[] {
  return header(answer, name).toLowerCase().split(", ");
}

describe("a preflight", () => {
  it("[SC9] allows every method and header of the protocol, for a day", async () => {
    const preflight = await send("OPTIONS", open.newUrl(), {
      headers: { Origin: "https://app.example.com", "Access-Control-Request-Method": "PUT" },
    });
    expect(preflight.status).toBe(204);
    expect(header(preflight, "Access-Control-Allow-Origin")).toBe("*");
    expect(list(preflight, "Access-Control-Allow-Headers")).toEqual(expect.arrayContaining(words(ALLOWED)));
    const methods = ["get", "post", "put", "delete", "head", "options"];
    expect(list(preflight, "Access-Control-Allow-Methods")).toEqual(expect.arrayContaining(methods));
    expect(header(preflight, "Access-Control-Max-Age")).toBe("86400");
  });

  it("[SC9] is answered for __ds, too", async () => {
    const preflight = await send("OPTIONS", `${open.url}/v1/stream/__ds/x`);
    expect([preflight.status, header(preflight, "Access-Control-Allow-Origin")]).toEqual([204, "*"]);
  });
});

it("[SC9] every response exposes what clients read, errors and 304 included", async () => {
  const url = open.newUrl();
  await create(url, { headers: TEXT, body: "x" });
  const answers = [
    await get(url),
    await get(url, { "If-None-Match": "*" }),
    await get(`${url}?offset=x`),
    await get(`${url}/missing`),
    await send("PATCH", url),
    await get(`${open.url}/v1/stream/__ds/x`),
    await get(`${open.url}/nothing`),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 304, 400, 404, 405, 404, 404]);
  for (const answer of answers) {
    expect(header(answer, "Access-Control-Allow-Origin")).toBe("*");
    expect(list(answer, "Access-Control-Expose-Headers")).toEqual(expect.arrayContaining(words(EXPOSED)));
  }
});

describe("with a list of origins", () => {
  it.each(["https://app.example.com", "http://localhost:3000"])(
    "[SC10] %s is echoed, with credentials",
    async (origin) => {
      const url = listed.newUrl();
      await create(url);
      for (const method of ["GET", "OPTIONS", "PATCH"]) {
        const answer = await send(method, url, { headers: { Origin: origin } });
        expect(header(answer, "Access-Control-Allow-Origin")).toBe(origin);
        expect(header(answer, "Access-Control-Allow-Credentials")).toBe("true");
        expect(header(answer, "Vary")).toContain("Origin");
      }
    },
  );

  it.each(["https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com", "null"])(
    "[SC10] %s is not echoed, and `Vary` says that the origin matters",
    async (origin) => {
      const answer = await get(listed.newUrl(), { Origin: origin });
      expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
      expect(answer.headers.get("Access-Control-Allow-Credentials")).toBeNull();
      expect(header(answer, "Vary")).toContain("Origin");
    },
  );
});
