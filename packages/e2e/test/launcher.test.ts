import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const LAUNCHER = fileURLToPath(new URL("../../local/src/main.ts", import.meta.url));

let dataDir: string;
let servers: ServerProcess[];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "launcher-"));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.kill9()));
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(options: { port?: number; vars?: Record<string, string> } = {}): Promise<ServerProcess> {
  const server = await startServer({ dataDir, ...options });
  servers.push(server);
  return server;
}

/** Runs the launcher when it is expected to refuse. */
function launch(...flags: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, "--data-dir", dataDir, ...flags], {
    encoding: "utf8",
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

async function create(url: string): Promise<void> {
  const response = await fetch(`${url}/v1/stream/kept`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
  });
  expect(response.status).toBe(201);
}

async function append(url: string, message: unknown): Promise<void> {
  const response = await fetch(`${url}/v1/stream/kept`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(message),
  });
  expect(response.ok).toBe(true);
}

async function read(url: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/stream/kept?offset=-1`);
  expect(response.status).toBe(200);
  return response.json();
}

function workerdPid(): number {
  return Number(readFileSync(join(dataDir, "workerd"), "utf8").split("\n", 1)[0]);
}

async function eventually(condition: () => Promise<boolean>, limitMs: number): Promise<void> {
  for (const end = Date.now() + limitMs; !(await condition().catch(() => false)); await delay(25)) {
    if (Date.now() > end) throw new Error(`still not so after ${limitMs} ms`);
  }
}

describe("what was acknowledged is there after", () => {
  it("stopping and starting again", async () => {
    const first = await start();
    await create(first.url);
    await append(first.url, { n: 1 });
    expect(await first.stop()).toBe(0);
    const second = await start();
    expect(await read(second.url)).toEqual([{ n: 1 }]);
  });

  it("a crash of workerd, on the same port", async () => {
    const server = await start();
    await create(server.url);
    await append(server.url, "before");
    const crashed = workerdPid();
    process.kill(crashed, "SIGKILL");
    await eventually(async () => workerdPid() !== crashed && (await fetch(`${server.url}/readyz`)).ok, 10_000);
    expect(await read(server.url)).toEqual(["before"]);
    expect(await server.stop()).toBe(0);
  });
});

describe("nothing stays behind", () => {
  it("when only the launcher is killed: workerd lets go of the port", async () => {
    const server = await start();
    const port = Number(new URL(server.url).port);
    process.kill(server.pid, "SIGKILL");
    await eventually(
      async () =>
        !(await fetch(server.url).then(
          () => true,
          () => false,
        )),
      10_000,
    );
    expect((await start({ port })).url).toBe(server.url);
  });

  it("when a workerd crashes again and again: the launcher gives up", async () => {
    const server = await start();
    for (let crash = 0; crash < 5; crash++) {
      const crashed = workerdPid();
      process.kill(crashed, "SIGKILL");
      await eventually(
        async () => crash === 4 || (workerdPid() !== crashed && (await fetch(`${server.url}/readyz`)).ok),
        10_000,
      );
    }
    await eventually(async () => server.log().includes("crashed 5 times"), 10_000);
    expect(await server.stop()).toBe(1);
  });

  it("when it is told to end while a reader follows a stream for an hour", async () => {
    const server = await start({ vars: { SSE_SESSION_SECONDS: "3600" } });
    await create(server.url);
    const reader = await fetch(`${server.url}/v1/stream/kept?offset=-1&live=sse`);
    expect(await server.stop()).toBe(0);
    await reader.text().catch(() => "cut off");
  });
});

describe("the launcher refuses", () => {
  it("a data directory that another server uses", async () => {
    const server = await start();
    const { status, stderr } = launch("--port", "0");
    expect(status).toBe(1);
    expect(stderr).toContain(`process ${server.pid}, ${server.url}`);
    expect((await fetch(`${server.url}/readyz`)).ok).toBe(true);
  });

  it("a port that is taken", async () => {
    const server = await start();
    const { port } = new URL(server.url);
    const { status, stderr } = launch("--port", port, "--data-dir", join(dataDir, "other"));
    expect(status).toBe(1);
    expect(stderr).toContain(`Port ${port}`);
  });

  it.each([
    [["--prot", "1"], "--prot"],
    [["--var", "NO_SUCH_SETTING:1"], "NO_SUCH_SETTING"],
    [["--var", "LOG_LEVEL:loud"], "LOG_LEVEL"],
  ])("%j, with exit code 2", (flags, culprit) => {
    const { status, stderr } = launch(...flags);
    expect(status).toBe(2);
    expect(stderr).toContain(culprit);
    expect(stderr).toContain("Fix: ");
    expect(stderr).not.toContain("    at ");
  });
});

it("prints help on stdout", () => {
  expect(launch("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("--port"), stderr: "" });
});
