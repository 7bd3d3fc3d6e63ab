import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, it } from "vitest";

import { followStream, type LiveMode } from "./live-reader.ts";
import { Server } from "./server.ts";

const closeAll: (() => void)[] = [];
afterEach(() => {
  for (const close of closeAll.splice(0)) close();
});

const MESSAGES = 6;

/** A server with six messages that ends every response after one of them, like some proxies. The last one closes the stream. */
async function startCuttingServer(): Promise<string> {
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "", "http://localhost").searchParams;
    const next = Number(query.get("offset")?.replace("-1", "0")) + 1;
    if (query.get("live") === "sse") sendEvent(response, next);
    else sendMessage(response, next);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closeAll.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function sendEvent(response: ServerResponse, next: number): void {
  const closed = next === MESSAGES ? { upToDate: true, streamClosed: true } : {};
  const control = JSON.stringify({ streamNextOffset: String(next), streamCursor: "1", ...closed });
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.end(`event: data\ndata:[${next}]\n\nevent: control\ndata:${control}\n\n`);
}

function sendMessage(response: ServerResponse, next: number): void {
  const closed = next === MESSAGES ? { "Stream-Up-To-Date": "true", "Stream-Closed": "true" } : {};
  const headers = { "Content-Type": "application/json", "Stream-Next-Offset": String(next), ...closed };
  response.writeHead(200, headers).end(`[${next}]`);
}

it.each(["sse", "long-poll"] as const)(
  "prints everything exactly once, however often the connection is interrupted: %s",
  async (live) => {
    const { printed, offset } = await follow(await startCuttingServer(), live);
    expect([printed, offset]).toEqual(["[1][2][3][4][5][6]", "6"]);
  },
);

async function follow(url: string, live: LiveMode): Promise<{ printed: string; offset: string }> {
  const { signal } = new AbortController();
  const connection = { url, project: undefined, token: undefined, secret: undefined, adminSecret: undefined };
  let printed = "";
  const offset = await followStream({
    server: new Server(connection, signal),
    name: "x",
    offset: "-1",
    live,
    signal,
    begin: () => undefined,
    print: async ({ data }) => {
      printed += new TextDecoder().decode(data);
    },
  });
  return { printed, offset };
}
