/** Data directories that earlier servers have written open with all that is in them, and go on; newer ones are refused. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { claimWake, describeServer, KEPT_PROJECT, KEPT_VARS, keptUrl, renewSessions } from "../src/kept-data.ts";
import { append, codeOf, get, JSON_TYPE, producer } from "../src/requests.ts";
import { bearer } from "../src/test-project.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const NAMES = readdirSync(FIXTURES).flatMap((file) => /^(.*)\.tar\.gz$/.exec(file)?.[1] ?? []);

const workDir = mkdtempSync(join(tmpdir(), "older-data-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

function unpack(name: string, dataDir: string): void {
  mkdirSync(dataDir, { mode: 0o700 });
  execFileSync("tar", ["-xzf", join(FIXTURES, `${name}.tar.gz`), "-C", dataDir, "--no-same-owner"]);
}

it("there are archives to try", () => {
  expect(NAMES).toContain("four-migrations");
});

describe.each(NAMES)("the data directory %s", (name) => {
  const dataDir = join(workDir, name);
  const asManager = { ...JSON_TYPE, ...bearer(KEPT_PROJECT) };
  let server: ServerProcess;

  beforeAll(async () => {
    unpack(name, dataDir);
    renewSessions(dataDir, Date.now());
    server = await startServer({ dataDir, vars: KEPT_VARS });
  });
  afterAll(() => server.kill9());

  it("[DU6] has its streams, their cold segments and forks, its project, session and subscription", async () => {
    const expected = JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8")) as object;
    expect(await describeServer(server.url)).toMatchObject(expected);
  });

  it("[DU6] continues where it was: producers, sessions, closed streams, and a wake that nobody has claimed", async () => {
    const orders = keptUrl(server.url, "orders");
    const claimed = await claimWake(server.url);
    expect(claimed.status).toBe(200);
    expect(claimed.text).toContain('"path":"orders"');
    // What the producer has sent before is known; the next one is new, and reaches the session.
    expect((await append(orders, '{"id":"1"}', { ...asManager, ...producer(1) })).status).toBe(204);
    expect((await append(orders, '{"id":"later"}', { ...asManager, ...producer(2) })).status).toBe(200);
    const inSession = async (): Promise<string[]> =>
      (await get(keptUrl(server.url, "session"), asManager)).text.match(/"id":"?\w+/g) ?? [];
    await expect.poll(inSession, { timeout: 30_000 }).toEqual(['"id":1', '"id":"0', '"id":"1', '"id":"later']);
    const closed = await append(keptUrl(server.url, "closed"), "more", bearer(KEPT_PROJECT));
    expect([closed.status, codeOf(closed)]).toEqual([409, "stream-closed"]);
  });
});

it("[DU6] the data directory of a newer server is refused, unchanged, with what to do", async () => {
  const dataDir = join(workDir, "newer");
  unpack("four-migrations", dataDir);
  const path = join(dataDir, "version.json");
  const note = JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as object), stream: 1_000 });
  writeFileSync(path, note);
  await expect(startServer({ dataDir, vars: KEPT_VARS })).rejects.toThrow(
    /written by a newer server.*start the newer server, or restore a backup/s,
  );
  expect(readFileSync(path, "utf8")).toBe(note);
});
