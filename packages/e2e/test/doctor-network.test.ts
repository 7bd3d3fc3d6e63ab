/** What `durable-streams doctor --network` says of a network as it should be, and of networks that are not. */
import { runCaptured, type Ran } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { describe, expect, it } from "vitest";

import { startBadNetwork, type NetworkFault } from "../src/bad-network.ts";
import { createProject, PROJECT_VARS } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";

function doctor(url: string, ...flags: string[]): Promise<Ran> {
  return runCaptured(["doctor", "--network", "--idle", "1s", "--url", url, ...flags], { env: {} });
}

function statusesOf({ stdout }: Ran): Record<string, string> {
  const { checks } = JSON.parse(stdout) as { checks: { check: string; status: string }[] };
  return Object.fromEntries(checks.map(({ check, status }) => [check, status]));
}

const server = useServer({ LONG_POLL_TIMEOUT_MS: "1000" });

describe("a network as it should be", () => {
  it("keeps every assumption that can be probed, and the report can be pasted into an issue", async () => {
    const ran = await doctor(server.url);
    expect(ran.exitCode).toBe(0);
    const rows = ran.stdout.split("\n").filter((line) => line.includes("| holds |"));
    expect(rows.map((row) => row.split(" ")[1])).toEqual([
      "append-time",
      "concurrent-appends",
      "large-append",
      "head",
      "errors-uncached",
      "deleted",
      "unchanged",
      "sse-time",
      "sse-idle",
      "long-poll-together",
    ]);
    expect(ran.stdout).toContain("- `rows-billed`: ");
    expect(ran.stdout).not.toContain(new URL(server.url).host);
  });

  it("has no stream of the probes left afterwards", async () => {
    const listed = await runCaptured(["stream", "list", "--json", "--url", server.url], { env: {} });
    expect(listed.stdout).not.toContain("doctor-");
  });
});

describe("a network that", () => {
  it.each<[NetworkFault, string]>([
    ["repeats-appends", "concurrent-appends"],
    ["loses-appends", "concurrent-appends"],
    ["damages-bodies", "large-append"],
    ["caches-heads", "head"],
    ["caches-errors", "errors-uncached"],
    ["keeps-deleted", "deleted"],
    ["rewrites-html", "unchanged"],
    ["cuts-idle", "sse-idle"],
    ["polls-in-turn", "long-poll-together"],
  ])("%s fails the probe %s", async (fault, probe) => {
    const ran = await doctor(await startBadNetwork(server.url, fault), "--only", probe, "--json");
    expect(ran.exitCode).toBe(1);
    expect(statusesOf(ran)).toEqual({ [probe]: "fail" });
  });
});

describe("a server with projects", () => {
  const closed = useServer(PROJECT_VARS);

  it("is examined with the project's secret, and is not without it", async () => {
    const project = await createProject(closed.url, "demo");
    const env = { DURABLE_STREAMS_PROJECT: project.name, DURABLE_STREAMS_SECRET: project.secret };
    const argv = ["doctor", "--network", "--only", "head", "--json", "--url", closed.url];
    expect(statusesOf(await runCaptured(argv, { env }))).toEqual({ head: "ok" });
    const refused = await runCaptured(argv, { env: { DURABLE_STREAMS_PROJECT: project.name } });
    expect(statusesOf(refused)).toEqual({ head: "fail" });
  });
});

it("A probe that does not exist is refused with the names of those that do", async () => {
  const ran = await doctor(server.url, "--only", "heads");
  expect(ran.exitCode).toBe(2);
  expect(ran.stderr).toContain("long-poll-together");
});
