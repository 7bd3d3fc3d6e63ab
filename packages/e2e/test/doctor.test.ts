/** What `durable-streams doctor` finds in a running server, directly and behind proxies that get in the way. */
import { runCaptured, type Ran } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { describe, expect, it } from "vitest";

import { startBadProxy } from "../src/bad-proxy.ts";
import { createProject, PROJECT_VARS } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";

async function doctor(url: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return runCaptured(["doctor", "--json", "--url", url], { env });
}

function statusesOf({ stdout }: Ran): Record<string, string> {
  const { checks } = JSON.parse(stdout) as { checks: { check: string; status: string }[] };
  return Object.fromEntries(checks.map(({ check, status }) => [check, status]));
}

/** Directly: its answers have no `Date`, and there is no cache. */
const HEALTHY = {
  node: "ok",
  server: "ok",
  clock: "ok",
  "round-trip": "ok",
  cache: "warn",
  sse: "ok",
  "clean-up": "ok",
};

describe("an open server", () => {
  const server = useServer();

  it("is healthy", async () => {
    const ran = await doctor(server.url);
    expect(ran.exitCode).toBe(0);
    expect(statusesOf(ran)).toEqual(HEALTHY);
  });

  it("behind a proxy that buffers, holds events back", async () => {
    const ran = await doctor(await startBadProxy(server.url, { buffers: true }));
    expect(ran.exitCode).toBe(1);
    expect(statusesOf(ran)).toEqual({ ...HEALTHY, clock: "ok", sse: "fail" });
    expect(ran.stderr).toContain("buffer");
  });

  it("behind a cache, answers the second read from it", async () => {
    expect(statusesOf(await doctor(await startBadProxy(server.url, { caches: true })))).toMatchObject({ cache: "ok" });
  });

  it("whose clock differs is reported", async () => {
    const ran = await doctor(await startBadProxy(server.url, { skewMs: 120_000 }));
    expect(ran.exitCode).toBe(1);
    expect(statusesOf(ran)).toEqual({ ...HEALTHY, clock: "fail" });
  });

  it("that is not there fails, and the rest is not tried", async () => {
    const ran = await doctor("http://127.0.0.1:9");
    expect(ran.exitCode).toBe(1);
    expect(statusesOf(ran)).toMatchObject({ server: "fail", "round-trip": "fail", sse: "skip", "clean-up": "skip" });
  });
});

describe("a server with projects", () => {
  const server = useServer(PROJECT_VARS);

  it("is tested as far as the given secret allows", async () => {
    const project = await createProject(server.url, "demo");
    expect(statusesOf(await doctor(server.url))).toMatchObject({ server: "ok", "round-trip": "warn", sse: "skip" });
    const env = { DURABLE_STREAMS_PROJECT: project.name, DURABLE_STREAMS_SECRET: project.secret };
    expect(statusesOf(await doctor(server.url, env))).toEqual(HEALTHY);
  });
});
