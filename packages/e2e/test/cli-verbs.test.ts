/** Verbs of the command line tool for projects, sessions, subscriptions and readers, and what a terminal is shown. */
import { errorOf, runCaptured, type Ran, type RunOptions } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { describe, expect, it } from "vitest";

import { startCli } from "../src/cli-process.ts";
import { ADMIN_SECRET, createProject, PROJECT_VARS } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";

const json = <Json = Record<string, unknown>>({ stdout }: Ran): Json => JSON.parse(stdout) as Json;

/** The directory hears of a stream a second or so after it was made. */
const POLL = { timeout: 10_000 };

describe("on an open server", () => {
  const server = useServer();
  const cli = (argv: readonly string[], options: RunOptions = {}) =>
    runCaptured(argv, { ...options, env: { DURABLE_STREAMS_URL: server.url, ...options.env } });

  it("a terminal is shown control characters of data, names and errors; a pipe gets every byte", async () => {
    const hostile = "\u001b]0;PWNED\u0007\u001b[2Jhello\u009b31m\u202e";
    const escaped = String.raw`\u001b]0;PWNED\u0007\u001b[2Jhello\u009b31m\u202e`;
    await cli(["stream", "create", "text", "--content-type", "text/plain", "--stdin", "--closed"], { stdin: hostile });
    await cli(["stream", "create", "json", "--stdin", "--closed"], { stdin: JSON.stringify(hostile) });
    for (const command of ["read", "tail"]) {
      const argv = ["stream", command, "text", "--offset", "-1"];
      expect((await cli(argv)).stdout).toBe(hostile);
      expect((await cli(argv, { isTerminal: true })).stdout).toBe(escaped);
    }
    const shown = (await cli(["stream", "read", "json", "--json"], { isTerminal: true })).stdout.split("\n")[0] ?? "";
    expect(shown).toContain(String.raw`\u009b31m\u202e`);
    expect(JSON.parse(shown)).toEqual({ data: hostile });
    const missing = await cli(["stream", "read", "a\u009b31m"], { isTerminal: true, env: { NO_COLOR: "1" } });
    expect(missing.stderr).toContain(String.raw`a\u009b31m`);
    expect(missing.stderr).not.toContain("\u009b");
  });

  it("a missing stream is reported with the command that creates it, by its name", async () => {
    for (const argv of [["read"], ["tail"], ["append", "--data", "1"]]) {
      const [command = "", ...rest] = argv;
      const ran = await cli(["stream", command, "no/such stream", ...rest, "--json"]);
      expect(errorOf(ran).fix).toBe("create it: durable-streams stream create 'no/such stream'");
    }
    const forked = await cli(["stream", "fork", "no/such", "forked", "--json"]);
    expect(errorOf(forked)).toMatchObject({
      why: expect.stringContaining("to fork from"),
      fix: "create it: durable-streams stream create no/such",
    });
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("a tail that %s ends says up to where it has read, and no error", async (signal, exitCode) => {
    await cli(["stream", "create", `ended-${signal}`, "--stdin"], { stdin: "1" });
    const tail = startCli(["stream", "tail", `ended-${signal}`, "--offset", "-1"], { DURABLE_STREAMS_URL: server.url });
    await tail.printed("1\n");
    tail.kill(signal);
    expect(await tail.ended).toMatchObject({ exitCode, stderr: expect.stringMatching(/^Read up to \d+_\d+\n$/) });
  });

  it("tail -n prints the last messages, or lines, and goes on from there", async () => {
    await cli(["stream", "create", "last", "--stdin"], { stdin: "[1,2,3,4.0]" });
    const tail = startCli(["stream", "tail", "last", "-n", "2"], { DURABLE_STREAMS_URL: server.url });
    await tail.printed("3\n4.0\n");
    await cli(["stream", "append", "last", "--data", "5", "--close"]);
    expect(await tail.ended).toMatchObject({ exitCode: 0, stdout: "3\n4.0\n5\n" });
    await cli(["stream", "create", "lines", "--content-type", "text/plain", "--stdin", "--closed"], {
      stdin: "a\nb\nc",
    });
    expect((await cli(["stream", "tail", "lines", "-n", "2"])).stdout).toBe("b\nc");
    await cli(["stream", "create", "image", "--content-type", "image/png", "--stdin", "--closed"], { stdin: "x" });
    expect((await cli(["stream", "tail", "image", "-n", "2"])).exitCode).toBe(2);
  });

  it("read and ls stop at their limit", async () => {
    await cli(["stream", "create", "limited", "--stdin"], { stdin: "[1,2,3]" });
    expect((await cli(["stream", "read", "limited", "--limit", "2"])).stdout).toBe("1\n2\n");
    for (const name of ["ls/1", "ls/2", "ls/3"]) await cli(["stream", "create", name]);
    const names = async (...argv: string[]) =>
      json<{ streams: { name: string }[] }>(await cli(["stream", "ls", "--prefix", "ls/", "--json", ...argv])).streams;
    await expect.poll(async () => (await names()).length, POLL).toBe(3);
    expect(await names("--limit", "2")).toMatchObject([{ name: "ls/1" }, { name: "ls/2" }]);
  });

  it("an error of the server's names its request, for whoever reads the server's log", async () => {
    for (const command of ["read", "head"]) {
      const ran = await cli(["stream", command, "nowhere", "--json"]);
      expect(errorOf(ran)).toMatchObject({ requestId: expect.stringMatching(/^[\w-]{8,}$/) });
      expect((await cli(["stream", command, "nowhere"])).stderr).toMatch(/^ {2}Request id: [\w-]+/m);
    }
  });

  it("append says that its file is missing", async () => {
    const ran = await cli(["stream", "append", "limited", "--file", "nowhere.json", "--json"]);
    expect(errorOf(ran)).toMatchObject({ code: "usage", message: expect.stringContaining("nowhere.json") });
  });

  it("a session is shown, touched and ended", async () => {
    await cli(["stream", "create", "source"]);
    await cli(["subscribe", "alice", "source"]);
    const shown = json(await cli(["session", "show", "alice", "--json"]));
    expect(shown).toMatchObject({ estuaryId: "alice", subscriptions: [{ source: "source" }] });
    expect((await cli(["session", "show", "alice"])).stdout).toContain("source");
    expect(json(await cli(["session", "touch", "alice", "--json"]))).toMatchObject({ expiresAt: expect.any(String) });
    expect((await cli(["session", "end", "alice"])).exitCode).toBe(2);
    expect(json(await cli(["session", "end", "alice", "--yes", "--json"]))).toEqual({ session: "alice", ended: true });
    expect((await cli(["stream", "head", "alice"])).exitCode).toBe(3);
  });

  it("who follows a stream is listed, and cut off", async () => {
    const subscribe = ["subscribe", "bob", "made-here", "--create", "application/json", "--expires", "1h"];
    expect((await cli(subscribe)).exitCode).toBe(0);
    const followers = async () =>
      json<{ followers: object[] }>(await cli(["session", "followers", "made-here", "--json"])).followers;
    expect(await followers()).toMatchObject([{ estuaryId: "bob", expiresAt: expect.any(String) }]);
    const cutOff = ["session", "cut-off", "made-here", "--session", "bob"];
    expect((await cli(cutOff)).exitCode).toBe(2);
    expect((await cli(["session", "cut-off", "made-here", "--yes"])).exitCode).toBe(2);
    expect(json(await cli([...cutOff, "--yes", "--json"]))).toEqual({ source: "made-here", ended: 1 });
    expect(await followers()).toEqual([]);
  });

  it("a subscription is created, shown, listed and deleted", async () => {
    await cli(["stream", "create", "wake"]);
    const create = ["subscription", "create", "pool", "--wake-stream", "wake", "--pattern", "jobs/*", "--lease", "2m"];
    expect(json(await cli([...create, "--json"]))).toMatchObject({ id: "pool", lease_ttl_ms: 120_000 });
    expect((await cli(create)).exitCode).toBe(0);
    expect((await cli(["subscription", "get", "pool"])).stdout).toContain("jobs/*");
    const list = () => cli(["subscription", "ls", "--json"]);
    await expect.poll(async () => json(await list()), POLL).toMatchObject({ subscriptions: [{ id: "pool" }] });
    expect(json(await cli(["subscription", "deliveries", "pool", "--json"]))).toMatchObject({ attempts: [] });
    expect((await cli(["subscription", "delete", "pool", "--yes"])).exitCode).toBe(0);
    expect((await cli(["subscription", "get", "pool"])).exitCode).toBe(3);
    for (const wrong of [[], ["--wake-stream", "a"], ["--wake-stream", "a", "--webhook", "b", "--pattern", "c"]]) {
      expect((await cli(["subscription", "create", "x", ...wrong])).exitCode).toBe(2);
    }
  });

  it("open prints the address", async () => {
    expect((await cli(["open"])).stdout).toBe(`${server.url}\n`);
    expect((await cli(["open", "a b"])).stdout).toBe(`${server.url}/v1/stream/a%20b?offset=-1\n`);
  });
});

describe("on a server with projects", () => {
  const server = useServer(PROJECT_VARS);
  const cli = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runCaptured([...argv, "--json"], { env: { DURABLE_STREAMS_URL: server.url, ...env } });
  const admin = { DURABLE_STREAMS_ADMIN_SECRET: ADMIN_SECRET };

  it("a project that exists is changed by the command that its refusal names", async () => {
    await cli(["create-project", "demo"], admin);
    const refused = await cli(["create-project", "demo"], admin);
    expect(errorOf(refused)).toMatchObject({
      code: "project-exists",
      fix: expect.stringContaining("durable-streams project set demo "),
    });
    const set = ["project", "set", "demo", "limits.streams=2", "publicStreams=pub/*,status", "defaults.ttlSeconds=1h"];
    const changed = {
      project: { publicStreams: ["pub/*", "status"], limits: { streams: 2 }, defaults: { ttlSeconds: 3_600 } },
    };
    expect(json(await cli(set, admin))).toMatchObject(changed);
    expect(json(await cli(["project", "show", "demo"], admin))).toMatchObject(changed);
    expect((await cli(["project", "set", "demo", "limits.nonsense=2"], admin)).exitCode).toBe(1);
    const { stdout } = await runCaptured(["project", "show", "demo"], {
      env: { DURABLE_STREAMS_URL: server.url, ...admin },
    });
    const settings = stdout.split("\n").filter((line) => line.includes("="));
    expect(json(await cli(["project", "set", "demo", ...settings], admin))).toMatchObject(changed);
  });

  it("read URLs and reader keys open a stream, until they are revoked", async () => {
    const project = await createProject(server.url, "readers");
    const env = { DURABLE_STREAMS_PROJECT: project.name, DURABLE_STREAMS_SECRET: project.secret };
    await cli(["stream", "create", "news"], env);
    const status = async (url: string) => (await fetch(`${url}&offset=-1`)).status;
    const readUrl = json<{ url: string }>(await cli(["read-url", "create", "news", "--expires", "5m"], env)).url;
    expect(await status(readUrl)).toBe(200);
    expect((await cli(["read-url", "revoke", "--yes"], env)).exitCode).toBe(0);
    expect(await status(readUrl)).toBe(401);
    const { url } = json<{ url: string }>(await cli(["reader-key", "create", "news", "--yes"], env));
    expect(await status(url)).toBe(200);
    expect((await cli(["reader-key", "revoke", "news", "--yes"], env)).exitCode).toBe(0);
    expect(await status(url)).toBe(401);
  });

  it("stats are those of the project's directory", async () => {
    const project = await createProject(server.url, "counted");
    const env = { DURABLE_STREAMS_PROJECT: project.name, DURABLE_STREAMS_SECRET: project.secret };
    await cli(["stream", "create", "one"], env);
    await expect
      .poll(async () => json(await cli(["stats"], env)), POLL)
      .toMatchObject({ project: "counted", streams: 1 });
  });

  it("doctor says what the token lacks, and what a wrong one is", async () => {
    const project = await createProject(server.url, "examined");
    const env = { DURABLE_STREAMS_PROJECT: project.name, DURABLE_STREAMS_SECRET: project.secret };
    const { token } = json<{ token: string }>(await cli(["token"], env));
    const roundTrip = async (of: Readonly<Record<string, string>>) => {
      const ran = await cli(["doctor"], of);
      const { checks } = json<{ checks: { check: string; status: string; detail: string; fix?: string }[] }>(ran);
      return { exitCode: ran.exitCode, ...checks.find(({ check }) => check === "round-trip") };
    };
    const named = { DURABLE_STREAMS_PROJECT: project.name };
    expect(await roundTrip({ ...named, DURABLE_STREAMS_TOKEN: token })).toMatchObject({
      exitCode: 0,
      status: "warn",
      detail: expect.stringMatching(/accepts the token of DURABLE_STREAMS_TOKEN, which may not create/),
      fix: expect.stringContaining("token --scope manage"),
    });
    expect(await roundTrip({ ...named, DURABLE_STREAMS_TOKEN: "x.y.z" })).toMatchObject({
      exitCode: 1,
      status: "fail",
      detail: expect.stringContaining("does not accept the token of DURABLE_STREAMS_TOKEN for examined"),
    });
    expect(await roundTrip(named)).toMatchObject({
      exitCode: 0,
      status: "warn",
      fix: expect.stringContaining("SECRET"),
    });
  });
});
