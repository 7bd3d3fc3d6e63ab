/** HTTPS without a proxy: HTTP/2 and HTTP/1.1 on the port of `durable-streams serve`. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { CHROMIUM } from "../src/browser-page.ts";
import { tlsFiles } from "../src/tls-files.ts";

const LIVE_READS = 100;

const workDir = mkdtempSync(join(tmpdir(), "tls-"));
let server: ServerProcess | undefined;

beforeAll(async () => {
  server = await startServer({ dataDir: join(workDir, "data"), flags: tlsFiles(workDir).flags });
});

afterAll(async () => {
  await server?.kill9();
  rmSync(workDir, { recursive: true, force: true });
});

it("the printed URL is https", () => {
  expect(server?.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
});

it.skipIf(!existsSync(CHROMIUM))(
  "one page holds a hundred live reads at once, and each gets what is appended",
  async () => {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
    try {
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      await page.goto(`${server?.url}/healthz`);
      const seen = await page.evaluate(async (count) => {
        const url = "/v1/stream/page";
        const headers = { "Content-Type": "text/plain" };
        await fetch(url, { method: "PUT", headers });
        const sources = Array.from({ length: count }, () => new EventSource(`${url}?offset=now&live=sse`));
        const all = (event: string) =>
          Promise.all(sources.map((source) => new Promise((resolve) => source.addEventListener(event, resolve))));
        const data = all("data");
        await all("open");
        await fetch(url, { method: "POST", headers, body: "to all" });
        const events = (await data) as MessageEvent<string>[];
        for (const source of sources) source.close();
        return events.map((event) => event.data);
      }, LIVE_READS);
      expect(seen).toEqual(Array.from({ length: LIVE_READS }, () => "to all"));
    } finally {
      await browser.close();
    }
  },
);
