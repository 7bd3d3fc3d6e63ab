/** A server whose streams are below another path than `/v1/stream`: everything is there, and in the URLs that it gives out. */
import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { expect, it, onTestFinished } from "vitest";

import { append, codeOf, get, header, JSON_TYPE, nextOffset, send, TEXT } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const BASE = "/api/logs";
const CLI = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url));
const server = useServer({ STREAM_BASE_PATH: BASE });
const urlOf = (stream: string): string => `${server.url}${BASE}/${stream}`;

async function create(stream: string, headers: Readonly<Record<string, string>> = TEXT): Promise<void> {
  const answer = await send("PUT", urlOf(stream), { headers });
  expect(answer.status).toBe(201);
  expect(header(answer, "Location")).toBe(urlOf(stream));
}

it("[SC17] a stream is created, written, read, followed, forked and deleted below it", async () => {
  await create("a/b");
  expect((await append(urlOf("a/b"), "hello")).status).toBe(204);
  const read = await get(urlOf("a/b"));
  expect(read.text).toBe("hello");
  expect((await send("POST", urlOf("a/b"), { headers: { ...TEXT, "Stream-Closed": "true" } })).status).toBe(204);
  expect((await get(`${urlOf("a/b")}?offset=-1&live=sse`)).text).toContain("data:hello");
  await create("fork", { "Stream-Forked-From": `${BASE}/a/b`, "Stream-Fork-Offset": nextOffset(read) });
  expect((await get(urlOf("fork"))).text).toBe("hello");
  expect((await send("DELETE", urlOf("a/b"))).status).toBe(204);
});

it("[SC17] nothing is at /v1/stream, neither for a request nor as the source of a fork", async () => {
  const elsewhere = await send("PUT", `${server.url}/v1/stream/x`, { headers: TEXT });
  expect([elsewhere.status, codeOf(elsewhere)]).toEqual([404, "route-not-found"]);
  expect(elsewhere.text).toContain(`${BASE}/`);
  const fork = await send("PUT", urlOf("y"), { headers: { "Stream-Forked-From": "/v1/stream/x" } });
  expect([fork.status, codeOf(fork)]).toEqual([400, "fork-header-invalid"]);
});

it("[SC17] the home page and sessions name it", async () => {
  expect(JSON.parse((await get(`${server.url}/`)).text)).toMatchObject({ streams: `${BASE}/` });
  expect((await get(`${server.url}/`, { Accept: "text/html" })).text).toContain(`${server.url}${BASE}/hello`);
  await create("source", JSON_TYPE);
  const session = await send("POST", `${server.url}/v1/estuary/subscribe/source`, {
    headers: JSON_TYPE,
    body: JSON.stringify({ estuaryId: "mine" }),
  });
  expect(JSON.parse(session.text)).toMatchObject({ stream: `${BASE}/mine` });
  await append(urlOf("source"), '{"n":1}', JSON_TYPE);
  await expect.poll(async () => (await get(urlOf("mine"))).text, { timeout: 10_000 }).toContain('{"n":1}');
});

it("[SC17] the command-line tool finds streams there, once it is told", () => {
  const env = { ...process.env, DURABLE_STREAMS_URL: server.url, DURABLE_STREAMS_BASE_PATH: BASE };
  const run = (...argv: readonly string[]) =>
    spawnSync(process.execPath, [CLI, ...argv], { env, encoding: "utf8", timeout: 30_000 });
  expect(run("stream", "create", "told").status).toBe(0);
  expect(run("stream", "append", "told", "--data", '{"n":1}').status).toBe(0);
  expect(run("stream", "read", "told").stdout).toBe('{"n":1}\n');
  expect(run("subscription", "list").status).toBe(0);
});

it("[SC17] a subscription is below it, and so is the URL that it is called back at", async () => {
  const calls = Promise.withResolvers<string>();
  const hook = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      response.writeHead(200, JSON_TYPE).end('{"done":true}');
      calls.resolve(body);
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void hook.close());
  const { port } = await new Promise<AddressInfo>((resolve) =>
    hook.once("listening", () => resolve(hook.address() as AddressInfo)),
  );
  await create("work", JSON_TYPE);
  const made = await send("PUT", urlOf("__ds/subscriptions/worker"), {
    headers: JSON_TYPE,
    body: JSON.stringify({ type: "webhook", pattern: "work", webhook: { url: `http://127.0.0.1:${port}/hook` } }),
  });
  expect(made.status).toBe(201);
  expect(made.text).toContain(`${server.url}${BASE}/__ds/`);
  await append(urlOf("work"), '{"n":1}', JSON_TYPE);
  expect(JSON.parse(await calls.promise)).toMatchObject({
    callback_url: `${server.url}${BASE}/__ds/subscriptions/worker/callback`,
  });
});
