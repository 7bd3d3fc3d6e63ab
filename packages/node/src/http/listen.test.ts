import { once } from "node:events";
import { connect } from "node:net";

import { expect, it } from "vitest";

import { createServer } from "../create-server.ts";

it("connections that never send anything hinder neither requests nor the end of the server", async () => {
  const settings = { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off" };
  const server = await createServer({ storage: { mode: "memory" }, port: 0, settings });
  const port = Number(new URL(server.url).port);
  const silent = Array.from({ length: 500 }, () => connect(port, "127.0.0.1"));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  const ended = Promise.all(silent.map((socket) => once(socket.resume(), "close")));
  // Far longer than a test may take.
  await server.close(2 ** 31 - 1);
  await ended;
});
