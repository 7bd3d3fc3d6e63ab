/**
 * The quick start of the README, block by block, as somebody would paste it; what it says about deploying is pasted in
 * `packages.test.ts`, where the archives are.
 *
 * A block runs as it is printed, but that the server listens on another port and writes to another folder, so that it is in
 * nobody's way. A read that goes on for ever ends by Ctrl-C.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { reservePort } from "@durable-streams-cloudflare/local/port";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { startCountingTunnel } from "../src/counting-tunnel.ts";
import { paste, readmeBlock, readmeBlocks } from "../src/readme-blocks.ts";
import { append, JSON_TYPE } from "../src/requests.ts";
import { untilAnswers } from "../src/until-answers.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PRINTED_URL = "http://localhost:4437";

const workDir = mkdtempSync(join(tmpdir(), "readme-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

/** Runs a block that starts the server, before the tests of this group and until after them. @returns where it answers. */
function useServerOf(block: string): () => string {
  let child: ChildProcess;
  let url = "";
  beforeAll(async () => {
    const port = await reservePort("127.0.0.1", 0);
    const command = readmeBlock(block).trim();
    const flags = `--port ${port} --data-dir ${mkdtempSync(join(workDir, "data-"))}`;
    child = spawn("bash", ["-c", `exec ${command}${command.includes(" -- ") ? "" : " --"} ${flags}`], {
      cwd: ROOT,
      stdio: "ignore",
    });
    url = `http://localhost:${port}`;
    await untilAnswers(`${url}/readyz`);
  });
  afterAll(async () => {
    const ended = once(child, "exit");
    child.kill();
    await ended;
  });
  return () => url;
}

it("these are its blocks: each is run by a test", () => {
  const quickStart = readmeBlocks().filter(({ section }) => section !== "How it works" && section !== "Work on it");
  expect(quickStart.map(({ language, code }) => `${language}: ${code.split("\n", 1)[0]}`)).toEqual([
    "sh: npm start",
    "sh: curl -X PUT -H 'Content-Type: application/json' http://localhost:4437/v1/stream/hello",
    ': [{"text":"hello"}]',
    'sh: npm run cli -- stream append hello --data \'{"text":"hello again"}\'',
    "sh: npm install @durable-streams/client",
    'ts: import { DurableStream, stream } from "@durable-streams/client";',
    "sh: npm start -- --var TENANCY:path",
    "bash: URL=http://localhost:4437",
    "sh: npm run pack -- /tmp/durable-streams",
    "sh: npx wrangler login",
    "sh: export DURABLE_STREAMS_SECRET=...",
  ]);
});

describe("npm start", () => {
  const url = useServerOf("npm start\n");

  it("[SC11] the curl lines create, append, read and follow", async () => {
    const code = readmeBlock("curl -X PUT").replaceAll(PRINTED_URL, url());
    const event = 'event: data\ndata:[{"text":"hello"}]\n';
    const { stdout } = await paste(code, { cwd: workDir, env: process.env, enough: event });
    expect(stdout.startsWith(readmeBlock('[{"text"').trim() + event)).toBe(true);
  });

  it("the command line tool of the clone appends, reads and shows its help", async () => {
    const env = { ...process.env, DURABLE_STREAMS_URL: url() };
    const { exitCode, stdout } = await paste(readmeBlock("npm run cli -- stream"), { cwd: ROOT, env });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('{"text":"hello"}\n{"text":"hello again"}\n');
    expect(stdout).toContain("Usage: durable-streams");
  });

  it("the official client, installed and saved as it says, does the same", async () => {
    const folder = join(workDir, "client");
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), "{}");
    const env = { ...process.env, npm_config_prefer_offline: "true" };
    expect(await paste(readmeBlock("npm install"), { cwd: folder, env })).toMatchObject({ exitCode: 0 });
    writeFileSync(join(folder, "hello.mjs"), readmeBlock("import").replaceAll(PRINTED_URL, url()));
    const child = spawn(process.execPath, ["hello.mjs"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill());
    const [printed] = (await once(child.stdout, "data")) as [Buffer];
    expect(printed.toString()).toBe("[ { text: 'hello' } ]\n");
  });

  it("the official client goes on when its connection is cut, and misses nothing", async () => {
    const tunnel = await startCountingTunnel(url());
    onTestFinished(() => tunnel.stop());
    const code = readmeBlock("import").replaceAll(PRINTED_URL, tunnel.url).replace("/chat", "/cut");
    const folder = join(ROOT, "packages/e2e");
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill());
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("[ { text: 'hello' } ]");
    for (const text of ["first", "second"]) {
      tunnel.cut();
      await append(`${url()}/v1/stream/cut`, JSON.stringify({ text }), JSON_TYPE);
      expect((await lines.next()).value).toBe(`[ { text: '${text}' } ]`);
    }
  });
});

describe("npm start, with projects", () => {
  const url = useServerOf("npm start -- --var TENANCY:path");

  it("what is published arrives in the session", async () => {
    const code = readmeBlock("URL=").replaceAll(PRINTED_URL, url());
    const event = 'event: data\ndata:[{"text":"hello world"}]\n';
    const { stdout } = await paste(code, { cwd: workDir, env: process.env, enough: event });
    expect(stdout).toContain(event);
  });
});

it("the commands to work on it are scripts of the repository", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object };
  const [{ code } = { code: "" }] = readmeBlocks().filter(({ section }) => section === "Work on it");
  const commands = code
    .trim()
    .split("\n")
    .map((line) => line.replace(/^npm (run )?/, "").split(" ", 1)[0]);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(commands));
});
