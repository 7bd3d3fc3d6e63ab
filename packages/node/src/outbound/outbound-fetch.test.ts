import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { boundedFetch } from "@durable-streams-cloudflare/http/outbound/bounded-fetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { outboundFetch, type Resolve } from "./outbound-fetch.ts";
import { isPublicAddress } from "./public-address.ts";

let server: Server;
let port: number;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}`);
    if (request.url === "/silent") return;
    if (request.url === "/empty") return void response.writeHead(204).end();
    if (request.url === "/moved") return void response.writeHead(302, { Location: "http://127.0.0.1/" }).end("moved");
    request.pipe(response);
  });
  await once(server.listen(0, "0.0.0.0"), "listening");
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** Every name has these addresses. */
const resolving =
  (...addresses: string[]): Resolve =>
  (_, __, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

describe("an outgoing request", () => {
  it.each(["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "fe80::1"])(
    "is not sent to a public name that resolves to %s",
    async (address) => {
      asked.length = 0;
      const send = outboundFetch("public", resolving(address));
      const sent = send(`http://hooks.example.com:${port}/`, { method: "POST", body: "{}" });
      await expect(sent).rejects.toThrow("hooks.example.com has no public address.");
      expect(asked).toEqual([]);
    },
  );

  it("reaches this machine as localhost, but only this machine", async () => {
    const answer = await outboundFetch("public", resolving("127.0.0.1"))(`http://localhost:${port}/`, {
      method: "POST",
      headers: { "Content-Type": "text/plain" },
      body: "hello",
    });
    expect([answer.status, await answer.text()]).toEqual([200, "hello"]);
    const elsewhere = outboundFetch("public", resolving("10.0.0.1"))(`http://localhost:${port}/`, {});
    await expect(elsewhere).rejects.toThrow("localhost has no public address.");
  });

  it("reaches private addresses with OUTBOUND_ADDRESSES=any", async () => {
    const send = outboundFetch("any", resolving("127.0.0.1"));
    expect((await send(`http://hooks.example.com:${port}/empty`, {})).status).toBe(204);
  });

  it("follows no redirect", async () => {
    const answer = await outboundFetch("any", resolving("127.0.0.1"))(`http://hooks.example.com:${port}/moved`, {});
    expect([answer.status, await answer.text()]).toEqual([302, "moved"]);
  });

  it("fails as the resolver does, and when its time is up", async () => {
    const failing: Resolve = (_, __, callback) => callback(new Error("no such name"), []);
    await expect(outboundFetch("public", failing)("https://hooks.example.com/", {})).rejects.toThrow("no such name");
    const bounds = { timeoutMs: 50, bytesMax: 10, allowsLoopback: true };
    const silent = boundedFetch(`http://127.0.0.1:${port}/silent`, {}, bounds, outboundFetch("public"));
    await expect(silent).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

it.each([
  ["8.8.8.8", true],
  ["192.168.1.1", false],
  ["100.64.0.1", false],
  ["2606:4700::1111", true],
  ["2001:db8::1", false],
  ["2002:7f00:1::", false],
  ["64:ff9b::7f00:1", false],
  ["::ffff:8.8.8.8", false],
  ["::", false],
  ["ff02::1", false],
])("%s is public: %s", (address, is) => {
  expect(isPublicAddress(address)).toBe(is);
});
