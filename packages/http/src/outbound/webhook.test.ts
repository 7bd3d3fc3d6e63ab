import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";

import { afterEach, expect, it } from "vitest";

import { parseTraceparent } from "../tracing/trace-context.ts";
import { sendWebhook } from "./webhook.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Sends a webhook to a receiver that answers so. */
async function sendTo(answer: RequestListener, timeoutMs = 10_000): Promise<{ status: number; text: string }> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The receiver has no port.");
  const url = `http://127.0.0.1:${address.port}/hook`;
  return sendWebhook(
    { url, body: new Uint8Array([0x7b, 0x7d]), signature: "signed" },
    { timeoutMs, allowsLoopback: true },
  );
}

it("[WH11] a receiver that never answers is given up", async () => {
  await expect(sendTo(() => undefined, 50)).rejects.toMatchObject({ name: "TimeoutError" });
});

it("[WH11] a receiver that never ends its answer is given up", async () => {
  await expect(sendTo((_, response) => response.write("{"), 50)).rejects.toMatchObject({ name: "TimeoutError" });
});

it("[WH11] only the status counts of an answer that is too large", async () => {
  const answered = sendTo((_, response) => response.end(`{"done":true}${" ".repeat(16 * 1024)}`));
  expect(await answered).toEqual({ status: 200, text: "" });
});

it("[WH11] a redirect is an answer like any other, and is not followed", async () => {
  const paths: (string | undefined)[] = [];
  const answered = await sendTo((request, response) => {
    paths.push(request.url);
    response.writeHead(307, { Location: "/elsewhere" }).end();
  });
  expect(answered.status).toBe(307);
  expect(paths).toEqual(["/hook"]);
});

it("[WH11] the host's own function sends it, after the guard has let its URL pass", async () => {
  const sent: string[] = [];
  const send = async (url: string): Promise<Response> => {
    sent.push(url);
    return new Response("{}");
  };
  const request = { body: new Uint8Array([0x7b, 0x7d]), signature: "signed" };
  const bounds = { timeoutMs: 1_000, allowsLoopback: false };
  const url = "https://hooks.example.com/";
  expect(await sendWebhook({ url, ...request }, bounds, send)).toEqual({ status: 200, text: "{}" });
  await expect(sendWebhook({ url: "http://10.0.0.1/", ...request }, bounds, send)).rejects.toThrow("does not send");
  expect(sent).toEqual([url]);
});

it("each webhook begins a trace, which its receiver can continue", async () => {
  const seen: (string | null)[] = [];
  const send = async (_: string, { headers }: RequestInit): Promise<Response> => {
    seen.push(new Headers(headers).get("traceparent"));
    return new Response("{}");
  };
  const request = { url: "https://hooks.example.com/", body: new Uint8Array([0x7b, 0x7d]), signature: "signed" };
  for (let count = 0; count < 2; count += 1) {
    await sendWebhook(request, { timeoutMs: 1_000, allowsLoopback: false }, send);
  }
  const traces = seen.map((header) => parseTraceparent(header));
  expect(traces).toEqual([expect.objectContaining({ isSampled: true }), expect.objectContaining({ isSampled: true })]);
  expect(traces[0]?.traceId).not.toBe(traces[1]?.traceId);
});
