import { once } from "node:events";
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { append, create, eventually, LAUNCHER, metricsOf, read, tryToLaunch } from "../src/launcher.ts";
import { sendRaw } from "../src/raw-http.ts";

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

async function start(
  options: { port?: number; vars?: Record<string, string>; flags?: readonly string[]; filesMax?: number } = {},
): Promise<ServerProcess> {
  const server = await startServer({ dataDir, ...options, flags: ["--metrics-port", "0", ...(options.flags ?? [])] });
  servers.push(server);
  return server;
}

const launch = (...flags: readonly string[]) => tryToLaunch(dataDir, flags);

/** An append whose body stops in the middle. */
function beginAppend(url: string): { body: ClientRequest; answer: Promise<number | undefined> } {
  const headers = { "Content-Type": "application/json" };
  const body = request(`${url}/v1/stream/kept`, { method: "POST", headers, agent: false });
  const answer = once(body, "response").then(([response]) => (response as IncomingMessage).resume().statusCode);
  body.write("[1,");
  return { body, answer };
}

describe("[DU1] what was acknowledged is there after", () => {
  it("stopping and starting again", async () => {
    const first = await start();
    await create(first.url);
    await append(first.url, { n: 1 });
    expect(await first.stop()).toBe(0);
    expect(readdirSync(join(dataDir, "tmp"))).not.toContain("control");
    const second = await start();
    expect(await read(second.url)).toEqual([{ n: 1 }]);
  });

  it("a power cut, in a copy of the data directory", async () => {
    const server = await start();
    await create(server.url);
    await append(server.url, "copied");
    await server.kill9();
    const copy = `${dataDir}-copy`;
    onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
    // A Unix socket is nothing to copy.
    cpSync(dataDir, copy, { recursive: true, filter: (path) => !statSync(path).isSocket() });
    const restored = await startServer({ dataDir: copy });
    servers.push(restored);
    expect(await read(restored.url)).toEqual(["copied"]);
  });
});

describe("nothing stays behind", () => {
  it("when only the process that was started is killed: the port is free", async () => {
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
});

describe("[DU4] told to end, the server", () => {
  it("ends live reads between two events, and answers a long-poll", async () => {
    const server = await start({ vars: { SSE_SESSION_SECONDS: "3600", LONG_POLL_TIMEOUT_MS: "25000" } });
    await create(server.url);
    await append(server.url, { n: 1 });
    const stream = `${server.url}/v1/stream/kept`;
    const followers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${stream}?offset=-1&live=sse`)));
    const poll = fetch(`${stream}?offset=now&live=long-poll`);
    await expect.poll(async () => metricsOf(server)).toContain("durable_streams_live_reads 9\n");
    expect(await server.stop()).toBe(0);
    for (const follower of followers) {
      expect(await follower.text()).toMatch(/^event: data\ndata:\[{"n":1}\]\nid: .*\n\nevent: control\ndata:.*\n\n$/);
    }
    expect((await poll).status).toBe(204);
  });

  it("finishes what is in flight", async () => {
    const server = await start({ flags: ["--drain-seconds", "60"] });
    await create(server.url);
    const { body, answer } = beginAppend(server.url);
    await expect.poll(async () => metricsOf(server)).toContain("durable_streams_requests_in_flight 1\n");
    const stopped = server.stop();
    // From then on the server takes no more connections, those of this test included.
    await expect.poll(() => metricsOf(server), { timeout: 10_000 }).toContain("durable_streams_up 0\n");
    body.end("2]");
    expect(await answer).toBe(204);
    expect(await stopped).toBe(0);
    const again = await start();
    expect(await read(again.url)).toEqual([1, 2]);
  });

  it("ends at once when it is told to a second time", async () => {
    const server = await start({ flags: ["--drain-seconds", "60"] });
    await create(server.url);
    const { answer } = beginAppend(server.url);
    await expect.poll(async () => metricsOf(server)).toContain("durable_streams_requests_in_flight 1\n");
    const stopped = server.stop();
    // A signal that comes at once may be the same one, from the terminal and from npm.
    const again = setInterval(() => process.kill(server.pid, "SIGTERM"), 100);
    await Promise.all([expect(answer).rejects.toThrow("socket hang up"), expect(stopped).resolves.toBe(130)]);
    clearInterval(again);
  });

  it("cuts off what takes longer than --drain-seconds", async () => {
    const server = await start({ flags: ["--drain-seconds", "0"] });
    await create(server.url);
    const { answer } = beginAppend(server.url);
    await expect.poll(async () => metricsOf(server)).toContain("durable_streams_requests_in_flight 1\n");
    await Promise.all([expect(answer).rejects.toThrow("socket hang up"), expect(server.stop()).resolves.toBe(0)]);
  });
});

it("Prometheus gets counts of requests, of processes and of the disk, on loopback", async () => {
  const server = await start();
  await create(server.url);
  await append(server.url, { n: 1 });
  const metrics = await fetch(server.metricsUrl ?? "");
  expect(metrics.headers.get("Content-Type")).toContain("text/plain; version=0.0.4");
  expect(new URL(server.metricsUrl ?? "").hostname).toBe("127.0.0.1");
  const text = await metrics.text();
  // A line of a comment, or a name, perhaps labels, and a number.
  for (const line of text.trimEnd().split("\n")) {
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+)$/);
  }
  expect(text).toContain('durable_streams_requests_total{method="POST",live="",status="204"} 1\n');
  expect(text).toMatch(/^durable_streams_process_resident_bytes\{process="(?:workerd|server)"\} [1-9]\d{6,}$/m);
  expect(text).toMatch(/^durable_streams_data_free_bytes [1-9]\d+$/m);
  await expect.poll(() => metricsOf(server)).toMatch(/^durable_streams_data_files [1-9]\d*$/m);
  expect((await fetch(new URL("/other", server.metricsUrl))).status).toBe(404);
});

describe("[SC13] without tokens it serves this machine, and not", () => {
  it("a page of another site, nor one whose name points here, nor what a proxy passes on", async () => {
    const server = await start();
    const ask = (headers: Record<string, string>, method = "PUT") =>
      sendRaw({
        method,
        server: server.url,
        path: "/v1/stream/kept",
        headers: { "Content-Type": "text/plain", ...headers },
      });
    const port = new URL(server.url).port;
    for (const [headers, status] of [
      [{ Origin: "https://evil.example" }, 403],
      [{ "Sec-Fetch-Site": "cross-site" }, 403],
      [{ Host: `rebind.evil.example:${port}` }, 421],
      [{ "X-Forwarded-For": "8.8.8.8" }, 401],
      [{ Origin: "http://localhost:3000", Host: `localhost:${port}` }, 201],
    ] as const) {
      const answer = await ask(headers);
      expect([headers, answer.status]).toEqual([headers, status]);
      const shown = "Origin" in headers && status === 201 ? headers.Origin : null;
      expect(answer.headers["access-control-allow-origin"] ?? null).toBe(shown);
    }
    const read = await ask({ Origin: "https://evil.example" }, "GET");
    expect([read.status, read.headers["access-control-allow-origin"]]).toEqual([200, undefined]);
  });

  it("its counts to a page whose name points here", async () => {
    const { metricsUrl = "" } = await start();
    const { origin, port } = new URL(metricsUrl);
    const ask = (Host: string) => sendRaw({ method: "GET", server: origin, path: "/metrics", headers: { Host } });
    expect((await ask(`rebind.evil.example:${port}`)).status).toBe(421);
    expect((await ask(`localhost:${port}`)).status).toBe(200);
  });
});

it("a secret in the environment closes the server to whoever has no token, and the server says so", async () => {
  const server = await start({ vars: { PROJECT_SECRET: "a-secret-of-the-project-0123456789" } });
  expect((await fetch(`${server.url}/v1/stream/kept`, { method: "PUT" })).status).toBe(401);
  expect(server.log()).toContain("PROJECT_SECRET is set, so requests need tokens");
});

it("its answers have a date, and its address shows what it is", async () => {
  const server = await start();
  for (const path of ["/v1/stream/kept", "/readyz", "/"]) {
    const response = await fetch(server.url + path, { headers: { Accept: "text/html" } });
    expect(response.headers.get("Date")).toBe(new Date(response.headers.get("Date") ?? "").toUTCString());
  }
  const page = await fetch(server.url, { headers: { Accept: "text/html" } });
  expect(await page.text()).toContain(`${server.url}/v1/stream/hello`);
});

it("no other user of the machine reads what lies on disk", async () => {
  const parent = dataDir;
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  dataDir = join(parent, "new");
  const server = await start();
  await create(server.url);
  const paths = [
    dataDir,
    ...readdirSync(dataDir, { recursive: true, encoding: "utf8" }).map((name) => join(dataDir, name)),
  ];
  expect(paths.some((path) => path.endsWith(".sqlite"))).toBe(true);
  expect(paths.filter((path) => (statSync(path).mode & 0o077) !== 0)).toEqual([]);
  expect(server.log()).toBe("");
  await server.stop();
  chmodSync(dataDir, 0o755);
  expect((await start()).log()).toContain(`chmod 700 '${dataDir}'`);
});

describe("the launcher refuses", () => {
  it("a data directory that another server uses", async () => {
    const server = await start();
    const { status, stderr } = launch("--port", "0");
    expect(status).toBe(1);
    expect(stderr).toContain(`process ${server.pid}, ${server.url}`);
    expect((await fetch(`${server.url}/readyz`)).ok).toBe(true);
  });

  it("[DU6] the data of a newer server", () => {
    writeFileSync(join(dataDir, "version.json"), '{"stream":1000}');
    const { status, stderr } = launch("--port", "0");
    expect(status).toBe(1);
    expect(stderr).toMatch(/written by a newer server.*1000[^]*Fix: .*backup/);
  });

  it("a port that is taken", async () => {
    const server = await start();
    const { port } = new URL(server.url);
    const { status, stderr } = launch("--port", port, "--data-dir", join(dataDir, "other"));
    expect(status).toBe(1);
    expect(stderr).toContain(`Port ${port}`);
  });

  it("a data directory that is a file", () => {
    const { status, stderr } = launch("--data-dir", LAUNCHER);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^✗ The data directory .* cannot be used[^]*Fix: /);
    expect(stderr).not.toContain("    at ");
  });

  it.each([
    [["--prot", "1"], "--prot"],
    [["--var", "NO_SUCH_SETTING:1"], "NO_SUCH_SETTING"],
    [["--var", "LOG_LEVEL:loud"], "LOG_LEVEL"],
    [["--host", "0.0.0.0"], "AUTH_MODE"],
    [["--port", "24437", "--metrics-port", "24437"], "--metrics-port 24438"],
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
