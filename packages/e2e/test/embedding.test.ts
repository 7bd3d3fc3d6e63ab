/**
 * The server in an application: the programs of `docs/embedding.md` as they are printed, but that they listen on another port
 * and write to a folder of their own, with the official client as their user.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { reservePort } from "@durable-streams-cloudflare/local/port";
import { DurableStream } from "@durable-streams/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { documentBlocks } from "../src/readme-blocks.ts";
import { TEXT } from "../src/requests.ts";
import { untilAnswers } from "../src/until-answers.ts";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const workDir = mkdtempSync(join(tmpdir(), "embedding-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const programs = documentBlocks("docs/embedding.md").filter(({ language }) => language === "js");

function programOf(section: string): string {
  const found = programs.find((block) => block.section === section);
  if (found === undefined) throw new Error(`docs/embedding.md has no program in the section ${section}.`);
  return found.code;
}

interface Application {
  readonly url: string;
  readonly child: ChildProcess;
}

function run(code: string): ChildProcess {
  // Packages are looked up from the working directory.
  return spawn(process.execPath, ["--input-type=module", "-e", code], {
    cwd: PACKAGE,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Runs an application before the tests of this group. */
function useApplication(section: string): Application {
  let child: ChildProcess | undefined;
  let url = "";
  beforeAll(async () => {
    const port = await reservePort("127.0.0.1", 0);
    const dataDir = JSON.stringify(mkdtempSync(join(workDir, "data-")));
    child = run(programOf(section).replaceAll("3000", String(port)).replace('"data"', dataDir));
    url = `http://127.0.0.1:${port}/api/streams`;
    await untilAnswers(`${url}/readyz`);
  });
  afterAll(() => void child?.kill("SIGKILL"));
  return {
    get url() {
      return url;
    },
    get child() {
      if (child === undefined) throw new Error("The application has not been started.");
      return child;
    },
  };
}

it("these are the programs that applications are told to write", () => {
  expect(programs.map(({ section }) => section)).toEqual(["node:http", "Hono", "Express", "Fastify", "Starting"]);
});

it("a program that waits until the server is open ends by itself", async () => {
  const child = run(programOf("Starting"));
  expect(await once(child, "exit")).toEqual([0, null]);
});

describe.each(["node:http", "Hono", "Express", "Fastify"])("an application of %s", (section) => {
  const application = useApplication(section);
  const urlOf = (name: string): string => `${application.url}/v1/stream/${name}`;

  it("creates, appends to and reads a stream; the URLs contain the mount path", async () => {
    const url = urlOf("first");
    const created = await fetch(url, { method: "PUT", headers: TEXT, body: "one" });
    expect([created.status, created.headers.get("Location")]).toEqual([201, url]);
    expect((await fetch(url, { method: "POST", headers: TEXT, body: "two" })).status).toBe(204);
    const read = await fetch(url);
    expect([read.status, await read.text()]).toEqual([200, "onetwo"]);
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("Stream-Next-Offset")]).toEqual([
      200,
      read.headers.get("Stream-Next-Offset"),
    ]);
    const cached = await fetch(url, { headers: { "If-None-Match": read.headers.get("ETag") ?? "" } });
    expect(cached.status).toBe(304);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(url)).status).toBe(404);
  });

  it("takes JSON and large bodies, which no body parser may have touched", async () => {
    const url = urlOf("bodies");
    const handle = await DurableStream.create({ url, contentType: "application/json" });
    await handle.append(JSON.stringify({ n: 1 }));
    expect(await (await handle.stream({ live: false })).json()).toEqual([{ n: 1 }]);
    const large = new Uint8Array(8_000_000).fill(7);
    const bytes = await DurableStream.create({ url: urlOf("large"), contentType: "application/octet-stream" });
    await bytes.append(large);
    expect((await (await bytes.stream({ live: false })).body()).length).toBe(large.length);
  });

  it.each(["sse", "long-poll"] as const)("follows a stream by %s, each event as it comes", async (live) => {
    const handle = await DurableStream.create({ url: urlOf(`live-${live}`), contentType: "application/json" });
    await handle.append("0");
    const response = await handle.stream<number>({ live });
    const items: number[] = [];
    response.subscribeJson((batch) => {
      items.push(...batch.items);
      if (batch.items.length === 0) return;
      // The next one is written only when this one has arrived.
      if (items.length < 4) void handle.append(String(items.length));
      else void handle.close();
    });
    await response.closed;
    expect(items).toEqual([0, 1, 2, 3]);
  });

  it("a live read ends with its client", async () => {
    const url = urlOf("left");
    await fetch(url, { method: "PUT", headers: TEXT, body: "x" });
    const aborter = new AbortController();
    const response = await fetch(`${url}?offset=-1&live=sse`, { signal: aborter.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    aborter.abort();
    await expect(reader?.closed).rejects.toThrow("aborted");
    expect((await fetch(url)).status).toBe(200);
  });

  it("ends cleanly: live reads end between two events, and the process exits by itself", async () => {
    const url = urlOf("ending");
    await fetch(url, { method: "PUT", headers: TEXT, body: "kept" });
    const reading = (await fetch(`${url}?offset=-1&live=sse`)).text();
    const exited = once(application.child, "exit");
    application.child.kill("SIGTERM");
    expect(await reading).toMatch(/data:kept\n[^]*\n\n$/);
    expect(await exited).toEqual([0, null]);
  });
});
