/** Streams that nobody uses at the moment. `npm run test:many-streams` has a hundred thousand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type ServerProcess } from "@durable-streams-cloudflare/testkit/server-process";
import { afterEach, beforeEach, expect, it } from "vitest";

import { openFilesOf, processorSeconds, residentMb } from "../src/process-use.ts";
import { create, get, TEXT } from "../src/requests.ts";

const STREAMS = Number(process.env["MANY_STREAMS"] ?? 500);
/** Only the command asks for it: a busy machine must not fail `npm test`. */
const START_MS_MAX = Number(process.env["START_MS_MAX"] ?? Infinity);
const CALLS = 32;
const STREAM_KIB_MAX = 16;
/** What a process takes for its first thousands of requests, whatever they ask for. */
const FIRST_MB_MAX = 120;
/** A start reads nothing of each stream: it takes little more of a processor than that of an empty directory. */
const START_SECONDS_MAX = 1;
/** Nor is there anything in memory for each stream. */
const START_MB_MAX = 40;
/** For requests, segments and threads; but none for an idle stream. */
const OTHER_FILES_MAX = 80;

let dataDir: string;
let server: ServerProcess | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "many-streams-"));
});

afterEach(async () => {
  await server?.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Use {
  readonly ms: number;
  readonly seconds: number;
  readonly mb: number;
  readonly files: number;
}

/** Starts the server. @returns what that took, and what it has then. */
async function start(): Promise<{ readonly running: ServerProcess; readonly use: Use }> {
  const startedAt = performance.now();
  const running = (server = await startServer({ dataDir }));
  return { running, use: { ms: Math.round(performance.now() - startedAt), ...useOf(running) } };
}

function useOf({ pid }: ServerProcess): Omit<Use, "ms"> {
  return { seconds: processorSeconds(pid), mb: residentMb(pid), files: openFilesOf(pid) };
}

async function forEachStream(work: (name: string, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const workers = Array.from({ length: CALLS }, async () => {
    for (let index = next++; index < STREAMS; index = next++) await work(`many/${index}`, index);
  });
  await Promise.all(workers);
}

it(
  `${STREAMS} streams cost a start, memory and open files nothing while they are idle, also after kill -9`,
  async () => {
    const first = await start();
    await forEachStream(async (name, index) => {
      await create(`${first.running.url}/v1/stream/${name}`, { headers: TEXT, body: `of ${index}` });
    });
    const created = useOf(first.running);
    await first.running.kill9();

    const again = await start();
    const wrong: string[] = [];
    await forEachStream(async (name, index) => {
      const { status, text } = await get(`${again.running.url}/v1/stream/${name}`);
      if (status !== 200 || text !== `of ${index}`) wrong.push(`${name}: ${status} ${text}`);
    });
    const read = useOf(again.running);

    const kibEach = (from: number, to: number): number => ((to - from) * 1_000_000) / 1024 / STREAMS;
    // oxlint-disable-next-line no-console -- figures to look at
    console.log({
      streams: STREAMS,
      empty: first.use,
      created: { ...created, kibEach: kibEach(first.use.mb, created.mb) },
      again: again.use,
      read: { ...read, kibEach: kibEach(again.use.mb, read.mb) },
    });
    expect(wrong).toEqual([]);
    const mbMax = FIRST_MB_MAX + (STREAMS * STREAM_KIB_MAX * 1024) / 1_000_000;
    expect(created.mb - first.use.mb).toBeLessThan(mbMax);
    expect(read.mb - again.use.mb).toBeLessThan(mbMax);
    expect(again.use.mb - first.use.mb).toBeLessThan(START_MB_MAX);
    expect(again.use.seconds - first.use.seconds).toBeLessThan(START_SECONDS_MAX);
    expect(Math.max(created.files, again.use.files, read.files)).toBeLessThan(first.use.files + OTHER_FILES_MAX);
    expect(again.use.ms).toBeLessThan(START_MS_MAX);
  },
  120_000 + 5 * STREAMS,
);
