/** Outgoing requests make real connections here, so that workerd itself refuses an address. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { OUTBOUND_NAME, outboundWorker } from "./outbound.ts";

/** Fetches the URL in its path and returns the status, or 0 without an answer. */
const SENDER = `export default {
  async fetch(request) {
    const target = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const status = await fetch(target, { redirect: "manual" }).then((answer) => answer.status, () => 0);
    return new Response(String(status));
  },
};`;

const servers: Server[] = [];
const running: Miniflare[] = [];
let port = 0;

beforeAll(async () => {
  const receiver = createServer((_, response) => response.writeHead(302, { Location: "http://127.1.2.3/" }).end());
  receiver.listen(0, "0.0.0.0");
  servers.push(receiver);
  await once(receiver, "listening");
  ({ port } = receiver.address() as AddressInfo);
});

afterAll(async () => {
  for (const one of running) await one.dispose();
  for (const server of servers) server.close();
});

async function senderOf(addresses: "public" | "any"): Promise<(url: string) => Promise<number>> {
  const main = {
    name: "main",
    compatibilityDate: "2026-01-01",
    modules: [{ type: "ESModule" as const, path: "main.js", contents: SENDER }],
    outboundService: OUTBOUND_NAME,
  };
  const options = { cf: false, log: new Log(LogLevel.NONE), handleStructuredLogs: () => undefined } as const;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({ ...options, workers: [main, outboundWorker(addresses)] }),
  );
  running.push(miniflare);
  return async (url) => {
    const answer = await miniflare.dispatchFetch(`http://sender/${encodeURIComponent(url)}`);
    return Number(await answer.text());
  };
}

describe("an outgoing request", () => {
  it("reaches this machine by the host names that the server's guard knows, and follows no redirect", async () => {
    const send = await senderOf("public");
    for (const host of ["127.0.0.1", "localhost"])
      expect([host, await send(`http://${host}:${port}/`)]).toEqual([host, 302]);
  });

  it("reaches no other private address: workerd refuses it when it connects", async () => {
    const send = await senderOf("public");
    for (const host of ["127.1.2.3", "[::1]", "0.0.0.0"])
      expect([host, await send(`http://${host}:${port}/`)]).toEqual([host, 0]);
  });

  it("reaches private addresses with OUTBOUND_ADDRESSES=any", async () => {
    const send = await senderOf("any");
    expect(await send(`http://127.1.2.3:${port}/`)).toBe(302);
  });
});
