/** The load process: carries out one job after the other, separated from everything that could slow it down. */
import { setTimeout as delay } from "node:timers/promises";

import { median, percentile } from "../statistics.ts";
import { Connection, formatRequest } from "./connection.ts";
import type { LoadJob, LoadResult } from "./job.ts";
import { serveJobs } from "./serve-jobs.ts";

serveJobs(run);

async function run(job: LoadJob): Promise<LoadResult> {
  const requests = job.urls.map((url) => formatRequest({ ...job, url }));
  const [first = ""] = job.urls;
  const connections = await Promise.all(Array.from({ length: job.connections }, () => Connection.open(first)));
  const from = performance.now() + job.warmUpMs;
  const to = from + job.measureMs;
  const latencies: number[] = [];
  let bodyBytes = 0;
  let requestsInAll = 0;
  let lastAt = from;
  const drive = async (connection: Connection, index: number): Promise<void> => {
    const request = requests[index % requests.length] ?? Buffer.alloc(0);
    let measured = 0;
    for (let startedAt = performance.now(); startedAt < to || measured === 0;) {
      const answer = await connection.send(request);
      if (answer.status < 200 || answer.status > 299) throw new Error(`${job.method} ${first}: ${answer.status}`);
      const endedAt = performance.now();
      requestsInAll += 1;
      if (startedAt >= from) {
        latencies.push(endedAt - startedAt);
        bodyBytes += answer.bodyBytes;
        measured += 1;
        lastAt = endedAt;
      }
      startedAt = await nextStart(job, startedAt, endedAt);
    }
  };
  try {
    await Promise.all(connections.map(drive));
  } finally {
    for (const connection of connections) connection.close();
  }
  const seconds = (lastAt - from) / 1000;
  const latencyMs = { p50: median(latencies), p99: percentile(latencies, 0.99) };
  return { requests: latencies.length, requestsInAll, bodyBytes, seconds, latencyMs };
}

/** When the next request begins. If the previous answer came too late, it is the time when the request was due. */
async function nextStart({ perSecond }: LoadJob, startedAt: number, endedAt: number): Promise<number> {
  if (perSecond === undefined) return endedAt;
  const dueAt = startedAt + 1_000 / perSecond;
  if (endedAt >= dueAt) return dueAt;
  await delay(dueAt - endedAt);
  // A late timer is not the fault of the server.
  return performance.now();
}
