/** The load process: carries out one job after the other, apart from everything that could slow it down. */
import { median, percentile } from "../statistics.ts";
import { Connection, formatRequest } from "./connection.ts";
import type { LoadJob, LoadResult } from "./job.ts";

process.on("message", (job: LoadJob) => {
  void run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});

async function run(job: LoadJob): Promise<LoadResult> {
  const request = formatRequest(job);
  const connections = await Promise.all(Array.from({ length: job.connections }, () => Connection.open(job.url)));
  const from = performance.now() + job.warmUpMs;
  const to = from + job.measureMs;
  const latencies: number[] = [];
  let bodyBytes = 0;
  let lastAt = from;
  const drive = async (connection: Connection): Promise<void> => {
    let measured = 0;
    for (let startedAt = performance.now(); startedAt < to || measured === 0;) {
      const answer = await connection.send(request);
      if (answer.status < 200 || answer.status > 299) throw new Error(`${job.method} ${job.url}: ${answer.status}`);
      const endedAt = performance.now();
      if (startedAt >= from) {
        latencies.push(endedAt - startedAt);
        bodyBytes += answer.bodyBytes;
        measured += 1;
        lastAt = endedAt;
      }
      startedAt = endedAt;
    }
  };
  try {
    await Promise.all(connections.map(drive));
  } finally {
    for (const connection of connections) connection.close();
  }
  const seconds = (lastAt - from) / 1000;
  const latencyMs = { p50: median(latencies), p99: percentile(latencies, 0.99) };
  return { requests: latencies.length, bodyBytes, seconds, latencyMs };
}
