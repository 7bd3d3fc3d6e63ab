/** What the engine workerd has stored is taken over by the engine node, with the same bytes at the same offsets. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { errorOf, runCaptured, type Ran } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { countOf, DONE, startHook, type Hook } from "../src/hook.ts";
import {
  claimWake,
  describeServer,
  fillServer,
  KEPT_PROJECT,
  KEPT_VARS,
  keptUrl,
  renewSessions,
} from "../src/kept-data.ts";
import { append, codeOf, create, get, JSON_TYPE, producer, send, TEXT } from "../src/requests.ts";
import { bearer, createProject, type TestProject } from "../src/test-project.ts";

const workDir = mkdtempSync(join(tmpdir(), "takeover-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const FIXTURES = join(import.meta.dirname, "../fixtures");
const takeover = (from: string, to: string): Promise<Ran> =>
  runCaptured(["takeover", "--data-dir", from, "--to", to, "--json"], { cwd: workDir });
const asManager = bearer(KEPT_PROJECT);
const json = { ...JSON_TYPE, ...asManager };

/** Every file with its content, except what a lock leaves. */
function contentOf(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => !/\/(?:lock|lock-journal|server\.json|workerd)$/.test(path))
      .toSorted()
      .map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}

const VARS = { ...KEPT_VARS, WEBHOOK_LOOPBACK: "allow" };
/** Its one stream expires. */
const BRIEF: TestProject = { name: "brief", secret: "project-secret-of-the-brief-data-0123456" };

describe("a directory with something of everything in it", () => {
  const [from, to] = [join(workDir, "workerd"), join(workDir, "node")];
  let described: unknown;
  let hook: Hook;
  let port: number;
  let server: ServerProcess | undefined;

  const brief = async (url: string): Promise<string> =>
    (await get(`${url}/v1/projects/${BRIEF.name}/streams`, bearer(BRIEF))).text;

  beforeAll(async () => {
    hook = await startHook();
    hook.answer = () => DONE;
    const first = await startServer({ dataDir: from, vars: VARS, engine: "workerd" });
    port = Number(new URL(first.url).port);
    await fillServer(first.url, from);
    const body = JSON.stringify({ type: "webhook", pattern: "hooked/*", webhook: { url: hook.url } });
    const subscription = `${keptUrl(first.url, "__ds")}/subscriptions/hook`;
    await create(subscription, { headers: json, body });
    const deleted = keptUrl(first.url, "deleted");
    await create(deleted, { headers: { ...TEXT, ...asManager }, body: "gone" });
    await send("DELETE", deleted, { headers: asManager });
    await createProject(first.url, BRIEF.name, { secret: BRIEF.secret });
    const expiring = { ...TEXT, ...bearer(BRIEF), "Stream-TTL": "60" };
    await create(`${first.url}/v1/stream/${BRIEF.name}/b`, { headers: expiring, body: "b" });
    await vi.waitUntil(async () => (await brief(first.url)).includes('"b"'), { timeout: 30_000 });
    described = await describeServer(first.url);
    // A crash: what was committed last is in journals.
    await first.kill9();
  }, 120_000);
  afterAll(async () => {
    hook.stop();
    await server?.kill9();
  });

  it("is refused by the engine node, which names the command", async () => {
    await expect(startServer({ dataDir: from, vars: VARS, engine: "node" })).rejects.toThrow(
      /durable-streams takeover --data-dir/,
    );
  });

  it("[DU7] is copied as a whole, and not changed; what an interrupted takeover has left is in the way of nothing", async () => {
    mkdirSync(join(workDir, "node.unfinished/data"), { recursive: true });
    writeFileSync(join(workDir, "node.unfinished/data/streams.sqlite"), "half");
    const before = contentOf(from);
    const ran = await takeover(from, to);
    expect(ran.stderr).toMatch(/^Took over \d+ streams/);
    expect(JSON.parse(ran.stdout)).toMatchObject({ from, dataDir: to, segments: 3 });
    expect(contentOf(from)).toEqual(before);
    expect(readdirSync(workDir).toSorted()).toEqual(["node", "workerd"]);
    expect(errorOf(await takeover(from, to)).message).toContain("is not empty");
  });

  it("[DU7] is served by the engine node: the same bytes at the same offsets, and every list", async () => {
    expireAll(to);
    server = await startServer({ dataDir: to, vars: VARS, engine: "node", port });
    expect(await describeServer(server.url)).toEqual(described);
    expect((await get(keptUrl(server.url, "deleted"), asManager)).status).toBe(404);
  });

  it("[DU7] goes on: producers, sessions, closed streams, wakes, webhooks and alarms", async () => {
    const { url } = server ?? (await startServer({ dataDir: to, vars: VARS, engine: "node", port }));
    const orders = keptUrl(url, "orders");
    expect((await claimWake(url)).text).toContain('"path":"orders"');
    // What the producer has sent before is known; the next one is new, and reaches the session.
    expect((await append(orders, '{"id":"1"}', { ...json, ...producer(1) })).status).toBe(204);
    expect((await append(orders, '{"id":"later"}', { ...json, ...producer(2) })).status).toBe(200);
    const inSession = async (): Promise<string[]> =>
      (await get(keptUrl(url, "session"), asManager)).text.match(/"id":"?\w+/g) ?? [];
    await expect.poll(inSession, { timeout: 30_000 }).toEqual(['"id":1', '"id":"0', '"id":"1', '"id":"later']);
    const closed = await append(keptUrl(url, "closed"), "more", asManager);
    expect([closed.status, codeOf(closed)]).toEqual([409, "stream-closed"]);
    await create(keptUrl(url, "hooked/a"), { headers: json });
    await append(keptUrl(url, "hooked/a"), '"hello"', json);
    await hook.received((all) => countOf(all, "hooked/a") > 0);
    await expect.poll(() => brief(url), { timeout: 30_000 }).not.toContain('"b"');
  });
});

/** Lets the streams of the brief project expire, as if a day had passed. */
function expireAll(dataDir: string): void {
  using database = new DatabaseSync(join(dataDir, "streams.sqlite"));
  const own = `o IN (SELECT o FROM objects WHERE name LIKE '${BRIEF.name}/%')`;
  database.exec(`UPDATE stream_stream SET touched_at_ms = touched_at_ms - 86400000 WHERE ${own}`);
  database.exec(`UPDATE stream_log SET committed_at_ms = committed_at_ms - 86400000 WHERE ${own}`);
  const { changes } = database.prepare(`UPDATE alarms SET at_ms = at_ms - 86400000 WHERE ${own}`).run();
  expect(Number(changes)).toBeGreaterThan(0);
}

describe.each(readdirSync(FIXTURES).flatMap((file) => /^(.*)\.tar\.gz$/.exec(file)?.[1] ?? []))(
  "the older directory %s",
  (name) => {
    const [from, to] = [join(workDir, name), join(workDir, `${name}-node`)];
    let server: ServerProcess | undefined;

    beforeAll(() => {
      mkdirSync(from, { mode: 0o700 });
      execFileSync("tar", ["-xzf", join(FIXTURES, `${name}.tar.gz`), "-C", from, "--no-same-owner"]);
      renewSessions(from, Date.now());
    });
    afterAll(() => server?.kill9());

    it("[DU7] is brought up to date while it is taken over", async () => {
      expect((await takeover(from, to)).stderr).toMatch(/^Took over 7 streams/);
      server = await startServer({ dataDir: to, vars: KEPT_VARS, engine: "node" });
      const expected = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8")) as object;
      expect(await describeServer(server.url)).toMatchObject(expected);
    });

    it("is refused as a whole when a file is damaged, a segment is missing, or a name is unknown", async () => {
      const target = join(workDir, "never");
      const objects = join(from, "do/durable-streams-StreamDO");
      const [first = ""] = readdirSync(objects).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
      const path = join(objects, first);
      const refused = async (message: RegExp): Promise<void> => {
        expect(errorOf(await takeover(from, target)).message).toMatch(message);
        expect([existsSync(target), existsSync(`${target}.unfinished`)]).toEqual([false, false]);
      };
      const kept = readFileSync(path);
      writeFileSync(path, Buffer.alloc(8_192, 7));
      await refused(/is damaged/);
      writeFileSync(path, kept);

      const stranger = join(objects, `${"0".repeat(64)}.sqlite`);
      writeFileSync(stranger, kept);
      await refused(/mentions the name of .*0{64}/);
      rmSync(stranger);

      const blobs = join(from, "r2/durable-streams-segments/blobs");
      const [blob = ""] = readdirSync(blobs);
      const bytes = readFileSync(join(blobs, blob));
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      writeFileSync(join(blobs, blob), bytes);
      await refused(/is damaged. It is the cold segment/);
      rmSync(join(blobs, blob));
      await refused(/is missing/);
    });
  },
);

it("a directory that is in use, or is none, or is of the engine node already, is refused", async () => {
  const running = join(workDir, "running");
  const server = await startServer({ dataDir: running, engine: "workerd" });
  expect(errorOf(await takeover(running, join(workDir, "x"))).message).toContain("Another server is using");
  await server.kill9();
  expect(errorOf(await takeover(workDir, join(workDir, "x"))).message).toContain("is not the data directory");
  const ofNode = join(workDir, "of-node");
  mkdirSync(ofNode);
  writeFileSync(join(ofNode, "streams.sqlite"), "");
  expect(errorOf(await takeover(ofNode, join(workDir, "x"))).message).toContain('belongs to the engine "node" already');
});
