/** What docs/clients.md shows is run as it is printed there. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, it, onTestFinished } from "vitest";

import { get, JSON_TYPE } from "../src/requests.ts";
import { useServer } from "../src/test-server.ts";

const server = useServer();

type AppendOnce = (url: string, producer: { id: string; seq: number }, body: string) => Promise<string>;

async function printedFunction(): Promise<AppendOnce> {
  const page = readFileSync(new URL("../../../docs/clients.md", import.meta.url), "utf8");
  const code = /^```js\n(\/\*\* Appends once[^]*?)^```$/m.exec(page)?.[1];
  if (code === undefined) throw new Error("docs/clients.md has no function that appends once");
  const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { appendOnce: AppendOnce };
  return module.appendOnce;
}

/** In front of the server: each request meets the next fault, and those after the last none. */
async function faultyUrl(faults: readonly ("503" | "429" | "cut" | "lost")[]): Promise<string> {
  const left = [...faults];
  const proxy = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const fault = left.shift();
      if (fault === "cut") return void response.destroy();
      if (fault === "503" || fault === "429")
        return void response.writeHead(Number(fault), { "Retry-After": "0" }).end();
      const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
      const { method = "POST", url = "" } = request;
      const answer = await fetch(server.url + url, { method, headers, body: Buffer.concat(chunks) });
      if (fault === "lost") return void response.destroy();
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    })();
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

it("an append is stored once, whatever becomes of its requests", async () => {
  const appendOnce = await printedFunction();
  const url = await server.newStream("", JSON_TYPE);
  const faulty = (await faultyUrl(["503", "429", "cut", "lost", "lost"])) + new URL(url).pathname;
  await appendOnce(faulty, { id: "p", seq: 0 }, '"first"');
  await appendOnce(faulty, { id: "p", seq: 1 }, '"second"');
  expect((await get(`${url}?offset=-1`)).text).toBe('["first","second"]');
});

it("an append that can never succeed is not repeated", async () => {
  const appendOnce = await printedFunction();
  const url = await server.newStream("", JSON_TYPE);
  await expect(appendOnce(url, { id: "p", seq: 7 }, "1")).rejects.toThrow("producer-gap");
  await expect(appendOnce(url, { id: "p", seq: 0 }, "{")).rejects.toThrow("json-invalid");
});
