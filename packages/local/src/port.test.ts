import { once } from "node:events";
import { createServer, type Server } from "node:net";

import { expect, it } from "vitest";

import { reservePort } from "./port.ts";

it("accepts a free port, and leaves it free", async () => {
  const port = await reservePort("127.0.0.1", 0);
  expect(port).toBeGreaterThan(0);
  expect(await reservePort("127.0.0.1", port)).toBe(port);
});

it("names a port that is in use, and suggests another one", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  await expect(reservePort("127.0.0.1", port)).rejects.toMatchObject({
    exitCode: 1,
    message: `Port ${port} on 127.0.0.1 is in use by another program.`,
    fix: expect.stringContaining(`--port ${port + 1}`),
  });
  server.close();
});

it("names the flag concerned, and refuses the port of the other flag", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  await expect(reservePort("127.0.0.1", port, "--metrics-port")).rejects.toMatchObject({
    fix: expect.stringContaining(`--metrics-port ${port + 1}`),
  });
  server.close();
  await expect(reservePort("127.0.0.1", 4437, "--metrics-port", 4437)).rejects.toMatchObject({
    exitCode: 2,
    message: "--metrics-port 4437 is the same port as --port.",
    fix: "use another port: --metrics-port 4438",
  });
});

it("names an address that this machine does not have", async () => {
  await expect(reservePort("203.0.113.1", 0)).rejects.toMatchObject({ exitCode: 2 });
});

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
