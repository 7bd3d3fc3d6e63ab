import { once } from "node:events";
import { connect } from "node:net";

import { expect, it, onTestFinished } from "vitest";

import { createServer } from "../create-server.ts";

it("pipelined requests are served one after another", async () => {
  const server = await createServer({
    storage: { mode: "memory" },
    port: 0,
    settings: { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" },
  });
  onTestFinished(() => server.close(0));
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1").setEncoding("utf8");
  onTestFinished(() => void socket.destroy());
  let received = "";
  socket.on("data", (chunk: string) => (received += chunk));
  const methods = ["PUT", "HEAD", "PUT", "DELETE", "HEAD", "PUT"];
  const requests = methods.map(
    (method, index) =>
      `${method} /v1/stream/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n` +
      `${index === methods.length - 1 ? "Connection: close\r\n" : ""}\r\n`,
  );
  socket.write(requests.join(""));
  await once(socket, "end");
  const statuses = [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
  expect(statuses).toEqual([201, 200, 200, 204, 404, 201]);
});
