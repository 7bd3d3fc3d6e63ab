/** A page in headless Chromium, with an origin of its own, that has the client and the flows of `browser/flows.ts`. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { chromium, type Browser, type Page } from "playwright-core";

import type * as flows from "../browser/flows.ts";

/** Where Debian's package puts it. */
export const CHROMIUM = "/usr/bin/chromium";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const HTML = `<!doctype html>
<title>Durable Streams</title>
<link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "@durable-streams/client": "/client.js" } }</script>
<script type="module">
  import * as flows from "/flows.js";
  globalThis.flows = flows;
</script>`;

type Flows = typeof flows;
type Flow = keyof Flows;

export interface BrowserPage {
  readonly origin: string;
  /** Runs one of the flows in the page. */
  run<Name extends Flow>(name: Name, ...parameters: Parameters<Flows[Name]>): Promise<unknown>;
  close(): Promise<void>;
}

export async function openPage(): Promise<BrowserPage> {
  const host = await servePage();
  const { port } = host.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const page = await loadPage(browser, origin);
  return {
    origin,
    run: (name, ...parameters) => runInPage(page, name, parameters),
    close: async () => {
      await browser.close();
      host.close();
    },
  };
}

async function loadPage(browser: Browser, origin: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => "flows" in globalThis);
  return page;
}

function runInPage(page: Page, name: Flow, parameters: readonly unknown[]): Promise<unknown> {
  return page.evaluate(
    ([flow, values]) => {
      const { flows: table } = globalThis as unknown as { flows: Record<string, (...values: unknown[]) => unknown> };
      return table[flow as string]?.(...(values as unknown[]));
    },
    [name, parameters] as const,
  );
}

async function servePage(): Promise<Server> {
  const files: Readonly<Record<string, readonly [string, string]>> = {
    "/": ["text/html", HTML],
    "/client.js": [
      "text/javascript",
      readFileSync(fileURLToPath(import.meta.resolve("@durable-streams/client")), "utf8"),
    ],
    "/flows.js": [
      "text/javascript",
      stripTypeScriptTypes(readFileSync(new URL("../browser/flows.ts", import.meta.url), "utf8")),
    ],
  };
  const server = createServer(({ url }, response) => {
    const [type, text] = files[url ?? ""] ?? ["text/plain", ""];
    response.writeHead(text === "" ? 404 : 200, { "Content-Type": type }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
