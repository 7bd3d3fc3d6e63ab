/** Backup, restore and verification of a data directory, tried as an operator would. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorOf, runCaptured, type Ran } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { engine } from "@durable-streams-cloudflare/testkit/engine";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const json = <Json = Record<string, unknown>>({ stdout }: Ran): Json => JSON.parse(stdout) as Json;

/** On this engine, one database holds all streams. */
const isNode = engine() === "node";
const workDir = mkdtempSync(join(tmpdir(), "data-"));
const dataDir = join(workDir, "data");
const archive = join(workDir, "backup.tar.gz");
const cli = (argv: readonly string[]) => runCaptured([...argv, "--json"], { cwd: workDir });

/** Of the streams that the server has, as they were written. */
const STREAMS = { hello: '["kept"]', "rooms/1": "[1.0]" };

/** Ends with the first test, which needs it; `undefined` while it could not be started. */
let server: ServerProcess | undefined;

beforeAll(async () => {
  const { url } = (server = await startServer({ dataDir }));
  for (const [name, body] of Object.entries(STREAMS)) {
    const headers = { "Content-Type": "application/json" };
    await fetch(`${url}/v1/stream/${name}`, { method: "PUT", headers, body });
  }
  const listed = `${url}/v1/projects/default/streams`;
  await vi.waitUntil(
    async () => {
      const { streams } = (await (await fetch(listed)).json()) as { streams: object[] };
      return streams.length === Object.keys(STREAMS).length;
    },
    { timeout: 10_000 },
  );
});

afterAll(async () => {
  // If the first test failed, the server still runs.
  await server?.kill9();
  rmSync(workDir, { recursive: true, force: true });
});

/** On node, a running server is backed up: backup-running.test.ts. */
const REFUSED_WHILE_RUNNING = isNode ? [["verify"]] : [["verify"], ["backup", archive]];

it("a running server is not verified, and on workerd it is not backed up", async () => {
  for (const argv of REFUSED_WHILE_RUNNING) {
    const refused = errorOf(await cli([...argv, "--data-dir", dataDir]));
    expect(refused).toMatchObject({ code: "data-in-use", message: expect.stringMatching(/server .*is using/) });
  }
  expect(existsSync(archive)).toBe(false);
  // A crash: what was committed last is in journals, which belong to the data.
  await server?.kill9();
});

describe("a backup", () => {
  it("is for its owner only, and changes nothing", async () => {
    expect(json(await cli(["backup", archive, "--data-dir", dataDir]))).toMatchObject({ archive, dataDir });
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    expect((await cli(["backup", archive, "--data-dir", dataDir])).exitCode).toBe(2);
    expect(errorOf(await cli(["backup", "x.tar.gz", "--data-dir", "."])).code).toBe("data-not-found");
    expect(readdirSync(workDir).toSorted()).toEqual(["backup.tar.gz", "data"]);
  });

  it("[DU5] is restored into a new directory, from which a server serves what there was", async () => {
    const restored = join(workDir, "restored");
    expect(json(await cli(["restore", archive, "--data-dir", restored]))).toMatchObject({ dataDir: restored });
    const second = await startServer({ dataDir: restored });
    for (const [name, body] of Object.entries(STREAMS)) {
      expect(await (await fetch(`${second.url}/v1/stream/${name}?offset=-1`)).text()).toBe(body);
    }
    await second.kill9();
    const again = await cli(["restore", archive, "--data-dir", restored]);
    expect(errorOf(again)).toMatchObject({ code: "usage", message: expect.stringContaining("not empty") });
  });

  it("[DU5] that is cut short, or none, leaves nothing", async () => {
    const whole = readFileSync(archive);
    writeFileSync(join(workDir, "cut.tar.gz"), whole.subarray(0, whole.length / 2));
    expect(errorOf(await cli(["restore", "cut.tar.gz", "--data-dir", "new"])).code).toBe("archive-failed");
    expect(readdirSync(workDir).filter((name) => name.startsWith("new"))).toEqual([]);
  });
});

describe("verify", () => {
  it("finds everything sound, names the streams, and changes nothing", async () => {
    const before = readdirSync(dataDir, { recursive: true, encoding: "utf8" }).toSorted();
    const found = json<{ checked: number; damaged: number; databases: { name: string | null }[] }>(
      await cli(["verify", "--all", "--data-dir", dataDir]),
    );
    expect(found).toMatchObject({ damaged: 0 });
    expect(found.databases.length).toBe(found.checked);
    const names = found.databases.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(isNode ? [null] : ["default", "default/hello", "default/rooms/1"]));
    const after = readdirSync(dataDir, { recursive: true, encoding: "utf8" }).toSorted();
    expect(after.filter((path) => !/^(lock|workerd)/.test(path))).toEqual(
      before.filter((path) => !/^(lock|workerd|server.json)/.test(path)),
    );
  });

  it("[DU5] [DU3] names the stream, or the database, that is damaged; a backup of that is not restored", async () => {
    const broken = join(workDir, "broken");
    cpSync(dataDir, broken, { recursive: true });
    const { databases } = json<{ databases: { name: string; file: string }[] }>(
      await cli(["verify", "--all", "--data-dir", broken]),
    );
    const name = isNode ? null : "default/hello";
    const { file = "" } =
      databases.find((each) => each.name === name && (isNode || each.file.includes("StreamDO"))) ?? {};
    writeFileSync(join(broken, file), Buffer.alloc(8_192, 7));
    // What the crash has left there would repair it.
    for (const journal of ["-wal", "-shm"]) rmSync(join(broken, file + journal), { force: true });
    const ran = await cli(["verify", "--data-dir", broken]);
    expect(ran.exitCode).toBe(1);
    expect(json(ran)).toMatchObject({ damaged: 1, databases: [{ file, name }] });
    expect(errorOf(ran)).toMatchObject({ code: "data-damaged" });
    expect(errorOf(ran).fix).toContain(isNode ? "holds the streams" : "that stream is lost");
    await cli(["backup", "broken.tar.gz", "--data-dir", broken]);
    const restored = await cli(["restore", "broken.tar.gz", "--data-dir", "from-broken"]);
    expect(errorOf(restored)).toMatchObject({ code: "data-damaged", message: expect.stringContaining("damaged") });
    expect(existsSync(join(workDir, "from-broken"))).toBe(false);
  });
});
