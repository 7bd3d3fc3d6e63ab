import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, it } from "vitest";

import { runCaptured } from "../../testing/captured-io.ts";

const closeAll: (() => void)[] = [];
afterEach(() => {
  for (const close of closeAll.splice(0)) close();
});

/** A closed JSON stream of five messages. @param lastMax how many last messages the server finds; 0: it does not support it. */
async function startStream(lastMax: number): Promise<{ url: string; reads: string[] }> {
  const reads: string[] = [];
  const headers = {
    "Content-Type": "application/json",
    "Stream-Next-Offset": "5",
    "Stream-Up-To-Date": "true",
    "Stream-Closed": "true",
  };
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://localhost");
    if (request.method === "HEAD") return response.writeHead(200, headers).end();
    reads.push(searchParams.toString());
    const last = Number(searchParams.get("last") ?? 0);
    if (lastMax > 0 && last > lastMax) return response.writeHead(400).end('{"code":"parameter-invalid"}');
    const messages = [1, 2, 3, 4, 5].slice(lastMax > 0 && last > 0 ? -last : 0);
    return response.writeHead(200, headers).end(JSON.stringify(messages));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closeAll.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reads };
}

it.each([
  ["asks the server for the last messages", 1_000, ["offset=-1&last=2"]],
  ["reads the whole stream if the server does not look for that many", 1, ["offset=-1&last=2", "offset=-1"]],
  ["keeps the last messages if the server does not support last", 0, ["offset=-1&last=2"]],
])("tail -n %s", async (_what, lastMax, asked) => {
  const { url, reads } = await startStream(lastMax);
  const ran = await runCaptured(["stream", "tail", "x", "-n", "2", "--url", url]);
  expect(ran).toMatchObject({ exitCode: 0, stdout: "4\n5\n", stderr: "Read up to 5\n" });
  expect(reads).toEqual(asked);
});
