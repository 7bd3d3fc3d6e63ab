/** What only the engine node does: one process, and one database for everything. */
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { selfSigned } from "../src/certificate.ts";
import { append, create, eventually, LAUNCHER, metricsOf, read, runLauncher, tryToLaunch } from "../src/launcher.ts";
import { exchange, statusIn } from "../src/raw-socket.ts";

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

async function start(options: { vars?: Record<string, string>; filesMax?: number } = {}): Promise<ServerProcess> {
  const server = await startServer({ dataDir, ...options, flags: ["--metrics-port", "0"] });
  servers.push(server);
  return server;
}

it("Prometheus gets what the store does", async () => {
  const server = await start();
  await create(server.url);
  await append(server.url, { n: 1 });
  const text = await metricsOf(server);
  expect(text).toMatch(/^durable_streams_commits_total [1-9]\d*$/m);
  expect(text).toMatch(/^durable_streams_sync_duration_seconds_count [1-9]\d*$/m);
  expect(text).toMatch(/^durable_streams_objects_loaded\{kind="stream"\} [1-9]\d*$/m);
});

it("a database that is damaged is refused, with what to do, and is not changed", async () => {
  const server = await start();
  await create(server.url);
  await server.stop();
  const path = join(dataDir, "streams.sqlite");
  for (const name of [`${path}-wal`, `${path}-shm`]) rmSync(name, { force: true });
  writeFileSync(path, "x".repeat(8_192));
  const { status, stderr } = tryToLaunch(dataDir, ["--port", "0"]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/streams\.sqlite is damaged[^]*Fix: .*restore/);
  expect(stderr).not.toContain("    at ");
  expect(readFileSync(path, "utf8")).toBe("x".repeat(8_192));
});

it("a start after kill -9 says in one line what it has recovered, and one after an orderly end says nothing", async () => {
  const first = await start();
  await create(first.url);
  await append(first.url, "kept");
  await first.kill9();
  const second = await start();
  expect(second.log()).toMatch(
    /^The last .* Recovered .*: \d+ pages of the write-ahead log \(\d+ KiB\), 1 stream in all\.\n$/,
  );
  expect(await read(second.url)).toEqual(["kept"]);
  expect(await second.stop()).toBe(0);
  expect((await start()).log()).toBe("");
});

it("the data of the engine workerd is refused, also where no engine is named, with what to do", () => {
  mkdirSync(join(dataDir, "do"));
  for (const flags of [[], ["--engine", "node"]]) {
    const { status, stderr } = runLauncher(dataDir, ["--port", "0", ...flags]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/belongs to the engine "workerd".*which is the default[^]*Fix: .*--engine workerd/);
    expect(existsSync(join(dataDir, "streams.sqlite"))).toBe(false);
  }
});

it("more connections than it may open files for get 503, and end neither the server nor what it has stored", async () => {
  const server = await start({ filesMax: 128 });
  expect(server.log()).toContain("may open only 128 files");
  await create(server.url);
  await append(server.url, "kept");
  const { hostname, port } = new URL(server.url);
  const sockets: Socket[] = [];
  const open = async (count: number): Promise<void> => {
    for (let opened = 0; opened < count; opened += 1) {
      const socket = connect({ host: hostname, port: Number(port) });
      sockets.push(socket);
      // Those that are too many even for a 503 are cut off.
      socket.on("error", () => undefined);
      await Promise.race([once(socket, "connect"), once(socket, "close")]);
    }
  };
  await open(48);
  // On a connection of its own.
  const request = "GET /v1/stream/kept HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const refused = await exchange({ server: server.url, bytes: request });
  expect([statusIn(refused), /^retry-after: 5\r$/im.test(refused)]).toEqual([503, true]);
  expect(refused).toContain('"code":"unavailable"');
  await open(150);
  for (const socket of sockets) socket.destroy();
  // Until it has let go of them, it may also cut off a connection that comes later.
  const openFds = async (): Promise<number> =>
    Number(/^durable_streams_process_open_fds\{.*\} (\d+)$/m.exec(await metricsOf(server))?.[1]);
  await eventually(async () => (await openFds()) < 64 && (await fetch(`${server.url}/readyz`)).ok, 20_000);
  await append(server.url, "later");
  expect(await read(server.url)).toEqual(["kept", "later"]);
  expect(await server.stop()).toBe(0);
});

it("with the storage mode memory it writes nothing, and forgets everything", async () => {
  const options = {
    dataDir: join(dataDir, "none"),
    env: { DS_STORAGE__MODE: "memory" },
    flags: ["--metrics-port", "0"],
  };
  const server = await startServer(options);
  servers.push(server);
  await create(server.url);
  await append(server.url, "here");
  expect(await read(server.url)).toEqual(["here"]);
  expect(await metricsOf(server)).toContain("durable_streams_up 1\n");
  expect(await server.stop()).toBe(0);
  expect(existsSync(options.dataDir)).toBe(false);
});

it("with the storage mode acid it keeps its data in as many databases as it was told", async () => {
  const env = { DS_STORAGE__MODE: "acid", DS_STORAGE__ACID_SHARD_COUNT: "2" };
  const server = await startServer({ dataDir, env });
  servers.push(server);
  await create(server.url);
  await append(server.url, "kept");
  await server.stop();
  expect(readdirSync(dataDir).filter((name) => name.endsWith(".sqlite"))).toHaveLength(2);
  const other = runLauncher(dataDir, ["--engine", "node", "--port", "0"]);
  expect([other.status, other.stderr]).toEqual([1, expect.stringContaining("Fix: ")]);
  const again = await startServer({ dataDir, env });
  servers.push(again);
  expect(await read(again.url)).toEqual(["kept"]);
});

it("work that nobody waits for may fail: the server says so, and serves on", async () => {
  const stray = 'process.on("SIGUSR2", () => void Promise.reject(new Error("stray")))';
  const preload = `data:text/javascript,${encodeURIComponent(stray)}`;
  const server = await startServer({ dataDir, program: ["--import", preload, LAUNCHER] });
  servers.push(server);
  await create(server.url);
  process.kill(server.pid, "SIGUSR2");
  await eventually(async () => server.log().includes("Work in the background failed."), 20_000);
  await append(server.url, "later");
  expect(await server.stop()).toBe(0);
});

it("with a certificate it speaks HTTPS, and a file that it cannot read is refused with what to do", async () => {
  const { cert, key } = selfSigned("localhost");
  const [certPath, keyPath] = [join(dataDir, "cert.pem"), join(dataDir, "key.pem")];
  writeFileSync(certPath, cert);
  writeFileSync(keyPath, key, { mode: 0o600 });
  const options = { dataDir: join(dataDir, "data"), env: { DS_TLS__CERT_PATH: certPath, DS_TLS__KEY_PATH: keyPath } };
  const server = await startServer(options);
  servers.push(server);
  expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
  const asked = get(`${server.url}/healthz`, { ca: cert, servername: "localhost" });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  expect(response.resume().statusCode).toBe(200);
  await server.stop();
  rmSync(keyPath);
  await expect(startServer(options)).rejects.toThrow(/exit code 2:[^]*key\.pem[^]*Fix: correct tls\.cert_path/);
});
