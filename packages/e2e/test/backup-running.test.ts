/** A backup of a server that goes on: what was acknowledged before it began is in it, and it fits together. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { errorOf, runCaptured } from "@durable-streams-cloudflare/cli/testing/captured-io";
import { claimDataDir } from "@durable-streams-cloudflare/local";
import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { append, create, get, send, TEXT } from "../src/requests.ts";
import { segmentFiles } from "../src/stored.ts";

const WRITERS = 16;
/** Small segments, so that bytes become cold and are deleted all the time. */
const VARS = { SEGMENT_BYTES: 65_536, SEGMENT_BYTES_MIN: 1 };
const LINE_BYTES = 4_000;
/** Of each writer before the backup begins. */
const LINES_MIN = 30;

const workDir = mkdtempSync(join(tmpdir(), "backup-running-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const line = (writer: number, index: number): string => `${writer} ${index} `.padEnd(LINE_BYTES - 1, ".") + "\n";

/** Appends to a stream of its own until it is stopped. Now and then it deletes one, with its cold segments. */
class Writer {
  acknowledged = 0;
  isStopped = false;
  readonly #id: number;
  readonly #root: string;

  constructor(url: string, id: number) {
    this.#id = id;
    this.#root = `${url}/v1/stream`;
  }

  async run(): Promise<void> {
    await create(`${this.#root}/w${this.#id}`);
    for (let index = 0; !this.isStopped; index += 1) {
      const { status, text } = await append(`${this.#root}/w${this.#id}`, line(this.#id, index));
      if (status >= 300) throw new Error(`An append was answered ${status}: ${text}`);
      this.acknowledged = index + 1;
      if (index % 20 === 19) await this.#createAndDelete(index);
    }
  }

  async #createAndDelete(index: number): Promise<void> {
    const url = `${this.#root}/brief-${this.#id}-${index}`;
    await create(url, { headers: { ...TEXT, "Stream-Closed": "true" }, body: "x".repeat(LINE_BYTES) });
    await send("DELETE", url);
  }
}

describe.each(["file-durable", "acid"])("in the storage mode %s", (mode) => {
  const dataDir = join(workDir, mode);
  const env = { DS_STORAGE__MODE: mode };
  const cli = (...argv: string[]) => runCaptured([...argv, "--json"], { cwd: workDir });
  let server: ServerProcess;

  beforeAll(async () => {
    server = await startServer({ dataDir, vars: VARS, env });
  });
  afterAll(() => server.kill9());

  it(
    "[DU5] a backup while 16 writers append has all that was acknowledged before it, and is restored",
    { timeout: 240_000 },
    async () => {
      const writers = Array.from({ length: WRITERS }, (_, id) => new Writer(server.url, id));
      const running = Promise.all(writers.map((writer) => writer.run()));
      await expect
        .poll(() => Math.min(...writers.map(({ acknowledged }) => acknowledged)), { timeout: 60_000 })
        .toBeGreaterThan(LINES_MIN);
      await expect.poll(() => segmentFiles(dataDir).length, { timeout: 60_000 }).toBeGreaterThan(WRITERS);

      const before = writers.map(({ acknowledged }) => acknowledged);
      const archive = `${mode}.tar.gz`;
      const ran = await cli("backup", archive, "--data-dir", dataDir);
      const after = writers.map(({ acknowledged }) => acknowledged);
      expect([ran.exitCode, ran.stderr]).toEqual([0, expect.stringContaining("Wrote")]);
      // Every writer has gone on meanwhile.
      for (const [id, count] of after.entries()) expect(count).toBeGreaterThan(before[id] ?? 0);
      for (const writer of writers) writer.isStopped = true;
      await running;
      // Nothing is left of it but the archive.
      expect(readdirSync(workDir).toSorted()).toEqual(expect.not.arrayContaining([`${archive}.unfinished`]));
      expect(existsSync(join(dataDir, "tmp/backup"))).toBe(false);

      const restored = join(workDir, `${mode}-restored`);
      expect((await cli("restore", archive, "--data-dir", restored)).exitCode).toBe(0);
      const second = await startServer({ dataDir: restored, vars: VARS, env });
      try {
        for (const [id, count] of before.entries()) {
          const text = await readAll(`${second.url}/v1/stream/w${id}`);
          const lines = text.length / LINE_BYTES;
          expect(lines).toBeGreaterThanOrEqual(count);
          expect(text).toBe(Array.from({ length: lines }, (_, index) => line(id, index)).join(""));
          expect((await append(`${second.url}/v1/stream/w${id}`, line(id, lines))).status).toBeLessThan(300);
        }
      } finally {
        await second.kill9();
      }
      expect((await cli("verify", "--data-dir", restored)).exitCode).toBe(0);
    },
  );

  it("a second backup at the same time is refused; what a killed one has left is removed", async () => {
    const links = join(dataDir, "tmp/backup");
    const release = await claimDataDir(links);
    const refused = errorOf(await cli("backup", `${mode}-2.tar.gz`, "--data-dir", dataDir));
    expect(refused).toMatchObject({ code: "data-in-use", message: expect.stringContaining("Another backup") });
    release();
    expect(existsSync(links)).toBe(true);
    expect((await cli("backup", `${mode}-2.tar.gz`, "--data-dir", dataDir)).exitCode).toBe(0);
    expect(existsSync(links)).toBe(false);
  });
});

async function readAll(url: string): Promise<string> {
  let [text, offset] = ["", "-1"];
  for (;;) {
    const answer = await get(`${url}?offset=${offset}`);
    expect(answer.status).toBe(200);
    text += answer.text;
    offset = answer.headers.get("stream-next-offset") ?? "";
    if (answer.headers.get("stream-up-to-date") !== null) return text;
  }
}
