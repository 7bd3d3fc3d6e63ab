/** The command line tool against a running server, one with projects and tokens, one that is open. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCaptured, errorOf, type Ran, type RunOptions } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { afterAll, describe, expect, it } from "vitest";

import { startCli } from "../src/cli-process.ts";
import { ADMIN_SECRET, PROJECT_VARS } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";

const DOCS = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");

const json = <Json = Record<string, unknown>>({ stdout }: Ran): Json => JSON.parse(stdout) as Json;
const linesOf = ({ stdout }: Ran): unknown[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

describe("on an open server", () => {
  // So small that what is read here takes several answers.
  const server = useServer({ READ_BYTES_MAX: 65_536 });
  const cli = (argv: readonly string[], options: RunOptions = {}) =>
    runCaptured(argv, { ...options, env: { DURABLE_STREAMS_URL: server.url, ...options.env } });

  it("a stream is created, written, read, described, forked, closed and deleted", async () => {
    expect(json(await cli(["stream", "create", "a/b", "--json"]))).toMatchObject({ created: true, closed: false });
    expect(json(await cli(["stream", "create", "a/b", "--json"]))).toMatchObject({ created: false });
    expect(await cli(["stream", "append", "a/b", "--data", "[1.0, 12345678901234567890]"])).toMatchObject({
      exitCode: 0,
    });
    const appended = await cli(["stream", "append", "a/b", "--json"], { stdin: '{"t":"x"}' });
    const { nextOffset } = json<{ nextOffset: string }>(appended);

    expect((await cli(["stream", "read", "a/b"])).stdout).toBe('1.0\n12345678901234567890\n{"t":"x"}\n');
    expect(linesOf(await cli(["stream", "read", "a/b", "--json"]))).toEqual([
      { data: 1 },
      { data: Number("12345678901234567890") },
      { data: { t: "x" } },
      { offset: nextOffset, upToDate: true, closed: false },
    ]);
    expect((await cli(["stream", "read", "a/b", "--offset", nextOffset])).stdout).toBe("");

    expect((await cli(["stream", "fork", "a/b", "fork"])).exitCode).toBe(0);
    expect((await cli(["stream", "close", "fork"])).stdout.trim()).toBe(nextOffset);
    expect(json(await cli(["stream", "head", "fork", "--json"]))).toMatchObject({
      contentType: "application/json",
      nextOffset,
      closed: true,
    });
    const refused = await cli(["stream", "append", "fork", "--data", "1", "--json"]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(errorOf(refused)).toMatchObject({ code: "stream-closed", exitCode: 1 });

    expect((await cli(["stream", "delete", "fork"])).exitCode).toBe(2);
    expect((await cli(["stream", "delete", "fork", "--yes"])).exitCode).toBe(0);
    for (const command of ["read", "head", "tail"]) {
      const gone = await cli(["stream", command, "fork", "--json"]);
      expect(gone.exitCode).toBe(3);
      expect(errorOf(gone)).toMatchObject({ code: "stream-not-found", fix: expect.stringContaining("stream create") });
    }
  });

  it("a text is printed as it is, and binary data as base64 with --json", async () => {
    const bytes = Uint8Array.from([0, 255, 10, 13, 128]);
    await cli(["stream", "create", "text", "--content-type", "text/plain", "--stdin", "--ttl", "1h"], {
      stdin: "a\nb",
    });
    expect((await cli(["stream", "read", "text"])).stdout).toBe("a\nb");
    expect(json(await cli(["stream", "head", "text", "--json"]))).toMatchObject({ ttlSeconds: 3_600 });
    await cli(["stream", "create", "bytes", "--content-type", "image/png", "--stdin", "--closed"], { stdin: bytes });
    const [record, end] = linesOf(await cli(["stream", "read", "bytes", "--json"])) as { data: string }[];
    expect(Uint8Array.from(Buffer.from(record?.data ?? "", "base64"))).toEqual(bytes);
    expect(end).toMatchObject({ upToDate: true, closed: true });
  });

  it("each line of stdin becomes one message, and a line that is not JSON stops it", async () => {
    await cli(["stream", "create", "lines"]);
    const many = Array.from({ length: 20_000 }, (_, n) => JSON.stringify({ n })).join("\n");
    expect(json(await cli(["stream", "append", "lines", "--lines", "--json"], { stdin: many }))).toMatchObject({
      messages: 20_000,
    });
    expect((await cli(["stream", "read", "lines"])).stdout).toBe(`${many}\n`);
    const broken = await cli(["stream", "append", "lines", "--lines", "--close", "--json"], { stdin: '1\n{"\n3' });
    expect(errorOf(broken)).toMatchObject({ message: expect.stringContaining("Line 2"), exitCode: 2 });
    expect((await cli(["stream", "read", "lines"])).stdout).toBe(`${many}\n1\n`);
  });

  it.each(["sse", "long-poll"])("tail prints what comes, as it comes, until the stream is closed: %s", async (live) => {
    const name = `live-${live}`;
    await cli(["stream", "create", name]);
    await cli(["stream", "append", name, "--data", "1"]);
    const tail = startCli(["stream", "tail", name, "--offset", "-1", "--live", live], {
      DURABLE_STREAMS_URL: server.url,
    });
    await tail.printed("1\n");
    await cli(["stream", "append", name, "--data", "2"]);
    await tail.printed("2\n");
    await cli(["stream", "append", name, "--data", "3", "--close"]);
    expect(await tail.ended).toMatchObject({ exitCode: 0, stdout: "1\n2\n3\n" });
  });

  it("tail ends after --count messages, and at Ctrl-C, and says where to resume", async () => {
    await cli(["stream", "create", "counted"]);
    await cli(["stream", "append", "counted", "--data", "[1,2,3]"]);
    const counted = await cli(["stream", "tail", "counted", "--offset", "-1", "--count", "2"]);
    expect(counted).toMatchObject({ exitCode: 0, stdout: "1\n2\n" });
    const tail = startCli(["stream", "tail", "counted", "--offset", "-1"], { DURABLE_STREAMS_URL: server.url });
    await tail.printed("3\n");
    tail.kill("SIGINT");
    expect(await tail.ended).toMatchObject({ exitCode: 130, stderr: expect.stringMatching(/Read up to \d+_\d+/) });
  });

  it("a session follows streams, and the command names those that do not exist", async () => {
    await cli(["stream", "create", "source"]);
    const subscribed = await cli(["subscribe", "alice", "source", "nowhere", "--json"]);
    expect(subscribed.exitCode).toBe(3);
    expect(json(subscribed)).toMatchObject({
      estuaryId: "alice",
      results: [{ source: "source" }, { source: "nowhere" }],
    });
    expect(errorOf(subscribed)).toMatchObject({ code: "stream-not-found" });
    await cli(["stream", "append", "source", "--data", '"news"']);
    expect((await cli(["stream", "tail", "alice", "--offset", "-1", "--count", "1"])).stdout).toBe('"news"\n');
    expect((await cli(["unsubscribe", "alice", "source"])).exitCode).toBe(0);
  });

  it("a server that is not there is exit code 5, and says what to do", async () => {
    const port = new URL(server.url).port;
    const env = { DURABLE_STREAMS_URL: `http://127.0.0.1:${port}/elsewhere` };
    expect((await cli(["stream", "head", "x"], { env })).exitCode).toBe(3);
    const away = await cli(["stream", "read", "x", "--json"], { env: { DURABLE_STREAMS_URL: "http://127.0.0.1:9" } });
    expect(away.exitCode).toBe(5);
    expect(errorOf(away)).toMatchObject({ code: "unreachable", fix: expect.stringContaining("--url") });
  });
});

const workDir = mkdtempSync(join(tmpdir(), "cli-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

/** What docs/cli.md says of the answer of a command. */
function answerOf(command: string): string {
  const row = DOCS.split("\n").find((line) => line.startsWith(`| \`${command}\``)) ?? "";
  const [, other] = /(?:what|the same as) `([a-z ]+)`/.exec(row) ?? [];
  return other === undefined || other === command ? row : row + answerOf(other);
}

describe("on a server with projects", () => {
  const server = useServer(PROJECT_VARS);
  const cli = (argv: readonly string[], env: Readonly<Record<string, string>> = {}, stdin?: string) =>
    runCaptured([...argv, "--json"], {
      ...(stdin === undefined ? {} : { stdin }),
      env: { DURABLE_STREAMS_URL: server.url, ...env },
    });
  const admin = { DURABLE_STREAMS_ADMIN_SECRET: ADMIN_SECRET };

  it("a project is created, listed, given another secret, and removed", async () => {
    const { secret } = json<{ secret: { kid: string; secret: string } }>(await cli(["create-project", "demo"], admin));
    const env = { DURABLE_STREAMS_SECRET: secret.secret, DURABLE_STREAMS_PROJECT: "demo" };
    expect((await cli(["create-project", "demo"], admin)).exitCode).toBe(1);
    await expect.poll(async () => json(await cli(["project", "list"], admin))).toEqual({ projects: ["demo"] });

    expect((await cli(["stream", "create", "chat"], env)).exitCode).toBe(0);
    expect((await cli(["stream", "create", "chat"], { DURABLE_STREAMS_PROJECT: "demo" })).exitCode).toBe(4);
    await expect
      .poll(async () => json<{ streams: object[] }>(await cli(["stream", "list"], env)).streams, {
        timeout: 10_000,
      })
      .toMatchObject([{ name: "chat", contentType: "application/json" }]);

    const own = "a-secret-of-its-owner-0123456789";
    const rotated = json<{ secret: { kid: string } }>(
      await cli(["project", "rotate", "demo", "--secret-stdin"], env, own),
    );
    const { keys } = json<{ keys: { kid: string }[] }>(await cli(["project", "keys", "demo"], env));
    expect(keys.map(({ kid }) => kid)).toEqual([rotated.secret.kid, secret.kid]);
    const moved = { ...env, DURABLE_STREAMS_SECRET: own };
    expect((await cli(["project", "revoke", "demo", secret.kid], moved)).exitCode).toBe(2);
    expect((await cli(["project", "revoke", "demo", secret.kid, "--yes"], moved)).exitCode).toBe(0);
    expect((await cli(["stream", "head", "chat"], moved)).exitCode).toBe(0);
    expect((await cli(["stream", "head", "chat"], env)).exitCode).toBe(4);

    expect((await cli(["project", "remove", "demo", "--yes"], admin)).exitCode).toBe(0);
    expect((await cli(["stream", "head", "chat"], moved)).exitCode).toBe(4);
  });

  it("a token opens what it names, and nothing else", async () => {
    const { secret } = json<{ secret: { secret: string } }>(await cli(["create-project", "tokens"], admin));
    const env = { DURABLE_STREAMS_PROJECT: "tokens", DURABLE_STREAMS_SECRET: secret.secret };
    for (const name of ["mine/1", "other"]) await cli(["stream", "create", name], env);
    const argv = ["token", "--scope", "write", "read", "--stream-prefix", "mine/", "--expires", "5m"];
    const { token } = json<{ token: string }>(await cli(argv, env));
    const bearer = { DURABLE_STREAMS_PROJECT: "tokens", DURABLE_STREAMS_TOKEN: token };
    expect((await cli(["stream", "append", "mine/1", "--data", "1"], bearer)).exitCode).toBe(0);
    expect((await cli(["stream", "append", "other", "--data", "1"], bearer)).exitCode).toBe(4);
    expect(json(await cli(["stream", "append", "mine/1", "--lines"], bearer, "2\n3\n"))).toMatchObject({
      messages: 2,
      nextOffset: expect.any(String),
    });
    expect((await cli(["stream", "delete", "mine/1", "--yes"], bearer)).exitCode).toBe(4);
    const tail = await cli(["stream", "tail", "mine/1", "--offset", "-1", "--count", "1"], bearer);
    expect(linesOf(tail)[0]).toEqual({ data: 1 });
  });

  it("each command answers with --json what docs/cli.md lists", async () => {
    const name = "contract";
    const { secret } = json<{ secret: { kid: string; secret: string } }>(await cli(["create-project", name], admin));
    const env = {
      ...admin,
      DURABLE_STREAMS_PROJECT: name,
      DURABLE_STREAMS_SECRET: secret.secret,
      XDG_CONFIG_HOME: workDir,
    };
    const commands = [
      ["project keys", name],
      ["project rotate", name],
      ["stream create", "a"],
      ["stream append", "a", "--data", "1"],
      ["stream head", "a"],
      ["stream fork", "a", "b"],
      ["stream close", "b"],
      ["stream delete", "b", "--yes"],
      ["stream list"],
      ["stream export", "a", "--output", join(workDir, "a.ndjson")],
      ["stream import", "c", "--file", join(workDir, "a.ndjson")],
      ["subscribe", "session", "a"],
      ["session show", "session"],
      ["session touch", "session"],
      ["session followers", "a"],
      ["session cut-off", "a", "--session", "session", "--yes"],
      ["unsubscribe", "session", "a"],
      ["session end", "session", "--yes"],
      ["subscription create", "s", "--wake-stream", "a", "--stream", "c"],
      ["subscription get", "s"],
      ["subscription list"],
      ["subscription deliveries", "s"],
      ["subscription delete", "s", "--yes"],
      ["token"],
      ["read-url create", "a"],
      ["read-url revoke", "--yes"],
      ["reader-key create", "a", "--yes"],
      ["reader-key revoke", "a", "--yes"],
      ["stats"],
      ["open"],
      ["config show"],
      ["profile add", "here", server.url],
      ["profile use", "here"],
      ["profile list"],
      ["profile remove", "here"],
      ["completion", "bash"],
      ["project list"],
      ["project show", name],
      ["project set", name, "limits.streams=9"],
      ["project revoke", name, secret.kid, "--yes"],
      ["project remove", name, "--yes"],
    ] as const;
    for (const [command, ...args] of commands) {
      const ran = await cli([...command.split(" "), ...args], env);
      expect([command, ran.exitCode]).toEqual([command, 0]);
      const undocumented = Object.keys(json(ran)).filter((key) => !answerOf(command).includes(`\`${key}\``));
      expect([command, undocumented]).toEqual([command, []]);
    }
  });

  it("a token that may only write is enough to append lines, and does not reveal their offsets", async () => {
    const { secret } = json<{ secret: { secret: string } }>(await cli(["create-project", "writers"], admin));
    const env = { DURABLE_STREAMS_PROJECT: "writers", DURABLE_STREAMS_SECRET: secret.secret };
    await cli(["stream", "create", "log"], env);
    const { token } = json<{ token: string }>(await cli(["token", "--scope", "write"], env));
    const bearer = { DURABLE_STREAMS_PROJECT: "writers", DURABLE_STREAMS_TOKEN: token };
    const append = ["stream", "append", "log", "--lines", "--content-type", "application/json"];
    expect(json(await cli(append, bearer, "1\n2\n"))).toEqual({ stream: "log", messages: 2, nextOffset: null });
    expect(linesOf(await cli(["stream", "read", "log"], env)).slice(0, 2)).toEqual([{ data: 1 }, { data: 2 }]);
  });
});
