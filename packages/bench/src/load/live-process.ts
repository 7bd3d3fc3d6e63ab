/**
 * The process of live readers and their writer. The writer sends each message when it is due, not when the previous one is
 * acknowledged, and latencies are measured from then on. So a server that falls behind cannot hide it (coordinated omission).
 */
import { setTimeout as delay } from "node:timers/promises";

import { cpuMsOf, residentBytesOf } from "../cpu-time.ts";
import { forEachConcurrent } from "../for-each-concurrent.ts";
import { median, percentile } from "../statistics.ts";
import { Connection, formatRequest } from "./connection.ts";
import type { LiveJob, LiveResult, ServerUse } from "./job.ts";
import { LiveReader } from "./live-reader.ts";
import { serveJobs } from "./serve-jobs.ts";

const OPENING_AT_ONCE = 50;
/** Time for sent long-polls to begin waiting. */
const SETTLE_MS = 300;
/** How long the last messages may take to reach the readers. */
const LAST_MS_MAX = 20_000;

serveJobs(async (job: LiveJob): Promise<LiveResult> => {
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const deliveries = new Deliveries(job);
  const readers: LiveReader[] = [];
  const use = new UseOf(job);
  try {
    await Promise.race([openAll(job, deliveries, readers, failure.reject), failure.promise]);
    await delay(SETTLE_MS);
    use.opened();
    await Promise.race([writeAll(job, failure.reject), failure.promise]);
    await Promise.race([deliveries.complete.promise, failure.promise, tooLate(deliveries)]);
  } finally {
    for (const reader of readers) reader.close();
  }
  return { ...deliveries.result(), server: use.now() };
});

/** Measures what the server uses. */
class UseOf {
  readonly #job: LiveJob;
  readonly #emptyBytes: number | undefined;
  #openBytes: number | undefined;
  #cpuMs: number | undefined;

  constructor(job: LiveJob) {
    this.#job = job;
    this.#emptyBytes = residentBytesOf(job.pids ?? []);
  }

  /** The readers wait, and nothing has been written. */
  opened(): void {
    this.#openBytes = residentBytesOf(this.#job.pids ?? []);
    this.#cpuMs = cpuMsOf(this.#job.pids ?? []);
  }

  /** Everything has been delivered. */
  now(): ServerUse {
    const { readers, pids = [] } = this.#job;
    const [before, after, cpuMs] = [this.#emptyBytes, this.#openBytes, cpuMsOf(pids)];
    const spentMs = cpuMs === undefined || this.#cpuMs === undefined ? undefined : cpuMs - this.#cpuMs;
    return {
      kibPerReader: before === undefined || after === undefined ? undefined : (after - before) / readers / 1_024,
      usPerDelivery: spentMs === undefined ? undefined : (spentMs * 1_000) / readers / messagesOf(this.#job),
    };
  }
}

/** The number of messages that the writer sends. */
function messagesOf({ messagesPerSecond, warmUpMs, measureMs }: LiveJob): number {
  return Math.max(2, Math.round((messagesPerSecond * (warmUpMs + measureMs)) / 1_000));
}

class Deliveries {
  readonly complete = Promise.withResolvers<void>();
  readonly #latenciesMs: number[] = [];
  readonly #job: LiveJob;
  #left: number;
  #fromUs = 0;

  constructor(job: LiveJob) {
    this.#job = job;
    this.#left = job.readers * messagesOf(job);
  }

  get left(): number {
    return this.#left;
  }

  add(dueUs: number): void {
    if (this.#fromUs === 0) this.#fromUs = dueUs + this.#job.warmUpMs * 1_000;
    if (dueUs >= this.#fromUs) this.#latenciesMs.push(performance.now() - dueUs / 1_000);
    this.#left -= 1;
    if (this.#left === 0) this.complete.resolve();
  }

  result(): Omit<LiveResult, "server"> {
    const latenciesMs = this.#latenciesMs;
    return {
      deliveries: latenciesMs.length,
      latencyMs: { p50: median(latenciesMs), p99: percentile(latenciesMs, 0.99) },
    };
  }
}

async function openAll(
  job: LiveJob,
  deliveries: Deliveries,
  readers: LiveReader[],
  failed: (error: Error) => void,
): Promise<void> {
  const indices = Array.from({ length: job.readers }, (_, index) => index);
  await forEachConcurrent(indices, OPENING_AT_ONCE, async () => {
    const begun = Promise.withResolvers<void>();
    const events = { message: (dueUs: number) => deliveries.add(dueUs), ready: begun.resolve, failed };
    readers.push(await LiveReader.open(job, events));
    await begun.promise;
  });
}

/** Never waits for an answer: while a connection is still waiting for one, another connection is used. */
async function writeAll(job: LiveJob, failed: (error: Error) => void): Promise<void> {
  const free: Connection[] = [];
  const all: Connection[] = [];
  const startMs = performance.now();
  const sent: Promise<void>[] = [];
  for (let index = 0; index < messagesOf(job); index += 1) {
    const dueMs = startMs + (index * 1_000) / job.messagesPerSecond;
    await delay(Math.max(0, dueMs - performance.now()));
    sent.push(write(job, dueMs, free, all).catch(failed));
  }
  await Promise.all(sent);
  for (const connection of all) connection.close();
}

async function write(job: LiveJob, dueMs: number, free: Connection[], all: Connection[]): Promise<void> {
  const connection = free.pop() ?? (await Connection.open(job.url));
  if (!all.includes(connection)) all.push(connection);
  const body = JSON.stringify({ dueUs: Math.round(dueMs * 1_000), note: "x".repeat(job.noteLength ?? 60) });
  const headers = { "Content-Type": "application/json", ...job.headers };
  const { status } = await connection.send(formatRequest({ url: job.url, method: "POST", headers, body }));
  if (status > 299) throw new Error(`POST ${job.url}: ${status}`);
  free.push(connection);
}

async function tooLate(deliveries: Deliveries): Promise<never> {
  await delay(LAST_MS_MAX, undefined, { ref: false });
  throw new Error(`${deliveries.left} deliveries are still missing.`);
}
