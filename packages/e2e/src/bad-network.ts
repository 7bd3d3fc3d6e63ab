/** A proxy that breaks what the server takes for granted about the network, one thing at a time. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

import { onTestFinished } from "vitest";

/** What the proxy does wrong. */
export type NetworkFault =
  | "repeats-appends"
  | "loses-appends"
  | "damages-bodies"
  | "caches-heads"
  | "caches-errors"
  | "keeps-deleted"
  | "rewrites-html"
  | "cuts-idle"
  | "polls-in-turn";

/** So long is the pause between two answers that a cache fills one after another. */
const TURN_MS = 300;
const CUT_MS = 200;

interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly body: Buffer<ArrayBuffer>;
  readonly headers: Record<string, string>;
}

/** @returns the URL of a proxy in front of `target` that has the fault. */
export async function startBadNetwork(target: string, fault: NetworkFault): Promise<string> {
  const kept = new Map<string, { status: number; headers: Headers; body: Buffer }>();
  let turn: Promise<unknown> = Promise.resolve();

  const send = ({ method, url, headers, body }: Exchange): Promise<Response> =>
    fetch(target + url, { method, headers, body: method === "GET" || method === "HEAD" ? null : body });

  async function answer(exchange: Exchange, response: ServerResponse): Promise<void> {
    const { method, url } = exchange;
    const isAppend = method === "POST";
    if (fault === "repeats-appends" && isAppend) await send(exchange);
    if (fault === "loses-appends" && isAppend && String(exchange.body) === "7")
      return void response.writeHead(204).end();
    if (fault === "damages-bodies" && isAppend && exchange.body.length > 1_000)
      exchange.body.writeUInt8(exchange.body.readUInt8(500) ^ 1, 500);
    if (fault === "polls-in-turn" && url.includes("long-poll")) await (turn = turn.then(() => wait(TURN_MS)));
    const known = kept.get(`${method} ${url}`);
    if (known !== undefined) return void response.writeHead(known.status, [...known.headers].flat()).end(known.body);
    const found = await send(exchange);
    for (const [name, value] of found.headers) response.setHeader(name, value);
    if (fault === "rewrites-html") response.removeHeader("Content-Length");
    response.statusCode = found.status;
    if (keeps(fault, method, found)) {
      const body = Buffer.from(await found.arrayBuffer());
      kept.set(`${method} ${url}`, { status: found.status, headers: found.headers, body });
      return void response.end(body);
    }
    response.flushHeaders();
    if (fault === "cuts-idle" && url.includes("sse")) setTimeout(() => response.destroy(), CUT_MS);
    for await (const chunk of found.body ?? []) response.write(fault === "rewrites-html" ? rewritten(chunk) : chunk);
    response.end();
  }

  const proxy = createServer((request, response) => {
    void receive(request)
      .then((exchange) => answer(exchange, response))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

async function receive(request: IncomingMessage): Promise<Exchange> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = "GET", url = "", headers } = request;
  const { host: _, connection: __, "content-length": ___, ...rest } = headers as Record<string, string>;
  return { method, url, headers: rest, body: Buffer.concat(chunks) };
}

function keeps(fault: NetworkFault, method: string, { ok, headers }: Response): boolean {
  if (fault === "caches-heads") return method === "HEAD";
  if (fault === "caches-errors") return method === "GET" && !ok;
  const isEvents = headers.get("Content-Type") === "text/event-stream";
  return fault === "keeps-deleted" && method === "GET" && ok && !isEvents;
}

function rewritten(chunk: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(chunk).toString().replace("a@example.com", "[protected]"));
}
