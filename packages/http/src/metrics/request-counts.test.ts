import { beforeEach, describe, expect, it } from "vitest";

import { formatPrometheus } from "./prometheus.ts";
import { RequestCounts } from "./request-counts.ts";

const STREAM = "http://localhost:4437/v1/stream/x";

let nowMs: number;
let counts: RequestCounts;

beforeEach(() => {
  nowMs = 0;
  counts = new RequestCounts(() => nowMs);
});

async function answer(method: string, url: string, status: number, tookMs = 0): Promise<void> {
  await counts.count({ method, url }, async () => {
    nowMs += tookMs;
    return { status };
  });
}

/** The values of one metric, by their labels. */
function valuesOf(name: string): Record<string, number> {
  const lines = formatPrometheus(counts.metrics(0)).split("\n");
  const values = lines.flatMap((line) => {
    const [, labels, value] = new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? [];
    return value === undefined ? [] : [[labels ?? "", Number(value)] as const];
  });
  return Object.fromEntries(values);
}

describe("requests are counted", () => {
  it("by method, live mode and status", async () => {
    await answer("GET", `${STREAM}?offset=-1`, 200);
    await answer("GET", `${STREAM}?offset=-1`, 200);
    await answer("GET", `${STREAM}?live=sse&offset=now`, 200);
    await answer("GET", `${STREAM}?offset=now&live=long-poll`, 204);
    await answer("POST", STREAM, 409);
    expect(valuesOf("durable_streams_requests_total")).toEqual({
      'method="GET",live="",status="200"': 2,
      'method="GET",live="sse",status="200"': 1,
      'method="GET",live="long-poll",status="204"': 1,
      'method="POST",live="",status="409"': 1,
    });
  });

  it("without a series for every method that a client makes up", async () => {
    await answer("BREW", `${STREAM}?live=sse`, 405);
    await answer("GET", `${STREAM}?live=sse2`, 400);
    await answer("GET", `${STREAM}?alive=sse`, 400);
    expect(Object.keys(valuesOf("durable_streams_requests_total"))).toEqual([
      'method="other",live="",status="405"',
      'method="GET",live="",status="400"',
    ]);
  });

  it("while they wait for an answer, and if they get none", async () => {
    const gate = Promise.withResolvers<{ status: number }>();
    const waiting = counts.count({ method: "GET", url: STREAM }, () => gate.promise);
    expect(valuesOf("durable_streams_requests_in_flight")).toEqual({ "": 1 });
    gate.reject(new Error("broken"));
    await expect(waiting).rejects.toThrow("broken");
    expect(valuesOf("durable_streams_requests_in_flight")).toEqual({ "": 0 });
    expect(valuesOf("durable_streams_requests_failed_total")).toEqual({ "": 1 });
    expect(valuesOf("durable_streams_requests_total")).toEqual({});
  });
});

it("a duration is in every bucket whose bound it does not exceed", async () => {
  await answer("POST", STREAM, 204, 1);
  await answer("POST", STREAM, 204, 40);
  await answer("POST", STREAM, 204, 31_000);
  const buckets = valuesOf("durable_streams_request_duration_seconds_bucket");
  const countOf = (bound: string): number | undefined => buckets[`method="POST",live="",le="${bound}"`];
  expect(["0.001", "0.025", "0.05", "30", "+Inf"].map(countOf)).toEqual([1, 1, 2, 2, 3]);
  expect(valuesOf("durable_streams_request_duration_seconds_sum")).toEqual({ 'method="POST",live=""': 31.041 });
  expect(valuesOf("durable_streams_request_duration_seconds_count")).toEqual({ 'method="POST",live=""': 3 });
});
