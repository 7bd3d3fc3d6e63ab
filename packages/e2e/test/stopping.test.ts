/** What the server says when it is told to end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { expect, it, onTestFinished } from "vitest";

async function start(isQuiet: boolean): Promise<ServerProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), "stopping-"));
  const server = await startServer({ dataDir, isQuiet, flags: ["--drain-seconds", "7"] });
  onTestFinished(async () => {
    await server.kill9();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return server;
}

it("a server says that it stops, how long that may take, how to cut it short, and when it has stopped", async () => {
  const server = await start(false);
  expect(server.log()).not.toContain("Stop");
  expect(await server.stop()).toBe(0);
  const [stopping, stopped] = server.log().trimEnd().split("\n").slice(-2);
  expect(stopping).toMatch(/^Stopping: .* 7 s .*Ctrl-C again/);
  expect(stopped).toBe("Stopped.");
});

it("a quiet server stops without a word", async () => {
  const server = await start(true);
  expect(await server.stop()).toBe(0);
  expect(server.log()).toBe("");
});
