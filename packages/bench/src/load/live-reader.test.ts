import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

import { expect, it } from "vitest";

import { LiveReader } from "./live-reader.ts";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** An SSE response with one message, whose offset is the message's number. */
function events(message: number): string {
  const control = `event: control\ndata: {"streamNextOffset":"${message}"}\n\n`;
  return HEAD + chunk(`event: data\ndata: [{"dueUs":${message},"note":""}]\n\n`) + chunk(control);
}

it.each([
  { ends: "ends the response", isClosing: false },
  { ends: "closes the connection", isClosing: true },
])("after a server $ends, the reader continues from its offset", async ({ isClosing }) => {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on("data", (bytes) => {
      asked.push(/offset=(\d+)/.exec(bytes.toString("latin1"))?.[1] ?? "");
      if (asked.length > 3) return;
      if (isClosing) socket.end(events(asked.length));
      else socket.write(events(asked.length) + chunk(""));
    });
    socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
  const times = { readers: 1, messagesPerSecond: 1, warmUpMs: 0, measureMs: 0 };
  const messages: number[] = [];
  const third = Promise.withResolvers<void>();
  const reader = await LiveReader.open(
    { url, headers: {}, offset: "0", mode: "sse", ...times },
    {
      message: (dueUs) => {
        messages.push(dueUs);
        if (messages.length === 3) third.resolve();
      },
      ready: () => undefined,
      failed: third.reject,
    },
  );
  await third.promise;
  reader.close();
  server.close();
  expect(messages).toEqual([1, 2, 3]);
  expect(asked.slice(0, 3)).toEqual(["0", "1", "2"]);
});
