/** The quick start of the README, block by block, as somebody would paste it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { makeFakeAccount } from "@durable-streams-cloudflare/cli/testing/fake-account";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { freePort } from "../src/free-port.ts";
import { ENTER, openTerminal, WIZARD_QUESTIONS } from "../src/terminal.ts";
import { createProject, PROJECT_VARS, tokenOf } from "../src/test-project.ts";
import { useServer } from "../src/test-server.ts";
import { untilAnswers } from "../src/until-answers.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const MAIN = join(ROOT, "packages/cli/src/main.ts");
const LIMIT_MS = 30_000;
/** SSE responses end so soon that a block with `curl -N` does. */
const SHORT_SSE = "SSE_SESSION_SECONDS:2";

interface Block {
  readonly section: string;
  readonly language: string;
  readonly code: string;
}

const blocks = blocksOf(readFileSync(join(ROOT, "README.md"), "utf8"));
const quickStart = blocks.filter(({ section }) => section !== "How it works" && section !== "Work on it");

const workDir = mkdtempSync(join(tmpdir(), "readme-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

function blocksOf(markdown: string): Block[] {
  return markdown.split(/^## /m).flatMap((part) => {
    const section = part.split("\n", 1)[0] ?? "";
    return [...part.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language = "", code = ""]) => ({
      section,
      language,
      code,
    }));
  });
}

/** The block that begins so. */
function blockOf(start: string): string {
  const found = quickStart.find(({ code }) => code.startsWith(start));
  if (found === undefined) throw new Error(`the README has no block that begins with ${start}`);
  return found.code;
}

/** @param url of the server that the block is to reach, instead of the one at port 4437. */
async function paste(code: string, url: string, env: Readonly<Record<string, string>> = {}) {
  const child = spawn("bash", ["-e", "-c", code.replaceAll("http://localhost:4437", url)], {
    cwd: workDir,
    env: { PATH: process.env["PATH"], HOME: workDir, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  return { exitCode: child.exitCode, stdout, stderr };
}

it("these are its blocks: each is run by a test below", () => {
  expect(quickStart.map(({ language, code }) => `${language}: ${code.split("\n", 1)[0]}`)).toEqual([
    "sh: npm start",
    "sh: curl -X PUT -H 'Content-Type: application/json' http://localhost:4437/v1/stream/hello",
    ': [{"text":"hello"}]',
    'ts: import { DurableStream, stream } from "@durable-streams/client";',
    "bash: URL=http://localhost:4437",
    "sh: npx wrangler login",
    "sh: export DURABLE_STREAMS_SECRET=...",
  ]);
});

describe("npm start", () => {
  let url = "";
  let child: ChildProcess;

  beforeAll(async () => {
    const port = await freePort();
    const flags = ["--port", String(port), "--data-dir", join(workDir, "data"), "--var", SHORT_SSE];
    const command = `exec ${blockOf("npm start").trim()} -- ${flags.join(" ")}`;
    child = spawn("bash", ["-c", command], { cwd: ROOT, stdio: "ignore" });
    url = `http://localhost:${port}`;
    await untilAnswers(`${url}/readyz`);
  });

  afterAll(async () => {
    const ended = once(child, "exit");
    child.kill();
    await ended;
  });

  it("the curl lines create, append, read and follow", async () => {
    const { exitCode, stdout } = await paste(blockOf("curl -X PUT"), url);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(blockOf('[{"text"').trim());
    expect(stdout).toContain('event: data\ndata:[{"text":"hello"}]');
  });

  it("the official client does the same", async () => {
    writeFileSync(join(workDir, "client.ts"), blockOf("import").replaceAll("http://localhost:4437", url));
    symlinkSync(join(ROOT, "packages/e2e/node_modules"), join(workDir, "node_modules"));
    const child = spawn(process.execPath, ["client.ts"], { cwd: workDir, stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill());
    const [printed] = (await once(child.stdout, "data")) as [Buffer];
    expect(printed.toString()).toBe("[ { text: 'hello' } ]\n");
  });
});

describe("deployed", () => {
  const server = useServer({ ...PROJECT_VARS, SSE_SESSION_SECONDS: 2 });
  let path = "";

  /** npm's registry does not have the tool yet: this `npx` runs it from the sources, and any other thing as it is told. */
  beforeAll(() => {
    const script = `#!/bin/sh
if [ "$1" = "@durable-streams-cloudflare/cli" ]; then shift; exec ${process.execPath} ${MAIN} "$@" $FLAGS; fi
if [ "$1 $2" = "wrangler login" ]; then echo "Successfully logged in."; exit 0; fi
exec "$NPX" "$@"
`;
    writeFileSync(join(workDir, "npx"), script, { mode: 0o755 });
    path = `${workDir}:${process.env["PATH"] ?? ""}`;
  });

  it("what is published arrives in the session", async () => {
    const project = await createProject(server.url, "my-project");
    const { exitCode, stdout } = await paste(blockOf("URL="), server.url, { JWT: tokenOf(project, "manage") });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('data:[{"text":"hello world"}]');
  });

  it("two lines set the server up", async () => {
    const account = await makeFakeAccount();
    onTestFinished(() => account.remove());
    const { home, env, cloudflare } = account;
    writeFileSync(join(home, "block.sh"), blockOf("npx wrangler login"));
    const flags = `--url ${cloudflare.deployedUrl}`;
    const around = { ...env, PATH: `${workDir}:${env["PATH"]}`, NPX: join(home, "bin/npx"), FLAGS: flags };
    const terminal = openTerminal("bash -e block.sh", home, around);
    onTestFinished(() => terminal.close());
    // Whoever answers nothing gets what is suggested.
    for (const question of WIZARD_QUESTIONS) {
      await terminal.see(question);
      terminal.type(ENTER);
    }
    expect(await terminal.exitCode).toBe(0);
    expect([...cloudflare.workers.keys()]).toEqual(["durable-streams"]);
    expect([...cloudflare.projects.keys()]).toEqual(["demo"]);
  });

  it("and the tool uses it", async () => {
    const project = await createProject(server.url, "demo");
    const code = blockOf("export DURABLE_STREAMS_SECRET").replace("...", project.secret);
    const env = { PATH: path, DURABLE_STREAMS_URL: server.url, DURABLE_STREAMS_PROJECT: project.name };
    const { exitCode, stdout, stderr } = await paste(code, server.url, env);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('{"text":"hello"}\n');
    expect(stderr).toContain("✓ round-trip");
  });
});

it("the commands to work on it are scripts of the repository", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object };
  const [{ code } = { code: "" }] = blocks.filter(({ section }) => section === "Work on it");
  const commands = code
    .trim()
    .split("\n")
    .map((line) => line.replace(/^npm (run )?/, "").split(" ", 1)[0]);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(commands));
});
