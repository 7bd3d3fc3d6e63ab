/** `@durable-streams/client` in headless Chromium, from a page of another origin: what CORS hides, no script can see. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CHROMIUM, openPage, type BrowserPage } from "../src/browser-page.ts";
import { append, CLOSE, create, JSON_TYPE, send, TEXT } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const isInstalled = existsSync(CHROMIUM);
if (!isInstalled) process.stderr.write(`\n!! ${CHROMIUM} is not there: the browser tests are SKIPPED.\n\n`);

describe.skipIf(!isInstalled)("in Chromium, from another origin", () => {
  const server = useServer();
  let page: BrowserPage;

  beforeAll(async () => {
    page = await openPage();
  });

  afterAll(async () => {
    await page?.close();
  });

  it("the page has another origin", () => {
    expect(page.origin).not.toBe(new URL(server.url).origin);
  });

  it("[SC9] a stream is created, appended to and read", async () => {
    const offset = expect.stringMatching(/^\d{16}_\d{16}$/) as string;
    expect(await page.run("createAndAppend", server.newUrl())).toMatchObject({
      head: { exists: true, contentType: "application/json", streamClosed: false, offset },
      items: [{ n: 1 }, { n: 2 }],
    });
  });

  it("a producer with five batches under way writes once and in order, and closes", async () => {
    const items = [...Array.from({ length: 200 }, (_, n) => n), "end"];
    expect(await page.run("produce", server.newUrl(), 200)).toEqual({ errors: [], items, streamClosed: true });
  });

  it("a producer ends when its stream was closed behind its back", async () => {
    expect(await page.run("produceAfterClose", server.newUrl())).toEqual(["SequenceGapError"]);
  });

  it.each([true, "sse", "long-poll"] as const)("a reader follows a stream to its close, live: %j", async (live) => {
    expect(await page.run("follow", server.newUrl(), live)).toEqual({ items: ["before", "live"], streamClosed: true });
  });

  it("[SS11] bytes that are not text arrive over SSE unchanged", async () => {
    const bytes = Array.from({ length: 1_000 }, (_, index) => index % 256);
    expect(await page.run("followBytes", server.newUrl(), bytes)).toEqual(bytes);
  });

  it("a reader goes on from a saved offset", async () => {
    expect(await page.run("resume", server.newUrl())).toBe("after");
  });

  it("a stream is deleted", async () => {
    expect(await page.run("remove", server.newUrl())).toEqual({ exists: false });
  });

  it("[EV1] EventSource reads a stream to its close", async () => {
    const url = server.newUrl();
    await create(url);
    await append(url, "one\ntwo", CLOSE);
    expect(await page.run("eventSource", url)).toEqual(["one\ntwo"]);
  });

  describe("a script can read why it was refused:", () => {
    it("404", async () => {
      expect(await page.run("request", server.newUrl(), {}, [])).toEqual({
        status: 404,
        headers: {},
        code: "stream-not-found",
      });
    });

    it("409, with where the closed stream ends", async () => {
      const url = server.newUrl();
      await create(url);
      const closed = await append(url, "end", CLOSE);
      const refused = await page.run("request", url, { method: "POST", headers: TEXT, body: "more" }, [
        "Stream-Closed",
        "Stream-Next-Offset",
      ]);
      expect(refused).toEqual({
        status: 409,
        headers: { "Stream-Closed": "true", "Stream-Next-Offset": closed.headers.get("Stream-Next-Offset") },
        code: "stream-closed",
      });
    });

    it("409, with the sequence number that the producer should have sent", async () => {
      const url = server.newUrl();
      await create(url, { headers: JSON_TYPE });
      const headers = { ...JSON_TYPE, "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "3" };
      const refused = await page.run("request", url, { method: "POST", headers, body: "[1]" }, [
        "Producer-Expected-Seq",
        "Producer-Received-Seq",
      ]);
      expect(refused).toEqual({
        status: 409,
        headers: { "Producer-Expected-Seq": "0", "Producer-Received-Seq": "3" },
        code: "producer-gap",
      });
    });
  });

  it("[CA5] a script can ask whether anything has changed", async () => {
    const url = server.newUrl();
    await create(url);
    const etag = (await send("GET", `${url}?offset=-1`)).headers.get("ETag") ?? "";
    const unchanged = await page.run("request", `${url}?offset=-1`, { headers: { "If-None-Match": etag } }, ["ETag"]);
    expect(unchanged).toEqual({ status: 304, headers: { ETag: etag } });
  });

  it("[SC10] a page whose origin is not in CORS_ORIGINS reads nothing", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "origins-"));
    const strict = await startServer({ dataDir, vars: { CORS_ORIGINS: "https://app.example.com" } });
    expect(await page.run("canRead", `${strict.url}/healthz`)).toBe(false);
    expect(await page.run("canRead", `${server.url}/healthz`)).toBe(true);
    await strict.kill9();
    rmSync(dataDir, { recursive: true });
  });
});

describe.skipIf(!isInstalled)("EventSource in Chromium, from another origin", () => {
  const server = useServer({ SSE_SESSION_SECONDS: 2 });

  it("gets each message once over several sessions, and stops at the end", async () => {
    const url = await server.newStream('["before"]', JSON_TYPE);
    const page = await openPage();
    try {
      expect(await page.run("followByEventSource", url)).toEqual({ items: ["before", 1, 2], sessions: 3 });
    } finally {
      await page.close();
    }
  });
});
