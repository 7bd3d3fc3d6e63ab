/** The memory that a server needs for a stream and for a waiting live reader. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";

import { forEachConcurrent } from "../for-each-concurrent.ts";
import { NODE, REFERENCE_IN_MEMORY, WORKERD } from "../targets/index.ts";
import { formatCount } from "../units.ts";
import type { RunningTarget, Scenario } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const STREAMS = 1_000;
const READERS = 1_000;
const QUICK_PART = 1 / 10;
const CALLS = 16;
const KIB = 1024;
/** What each may take on the engine `node`. */
const STREAM_KIB_MAX = 16;
const READER_KIB_MAX = 30;

export const MEMORY: Scenario = {
  summary: "memory per stream and per idle SSE reader",
  targets: [NODE, WORKERD, REFERENCE_IN_MEMORY],
  budget: { full: 17, quick: 5, preparation: 17, measurements: 0 },
  run: async ({ targets, isQuick }) => {
    const part = isQuick ? QUICK_PART : 1;
    const [streams, readers] = [STREAMS * part, READERS * part];
    const perStream = new Map<string, readonly number[]>();
    const perReader = new Map<string, readonly number[]>();
    for (const target of targets) {
      const grown = await grow(target, streams, readers);
      perStream.set(target.kind.name, [grown.streams / streams / KIB]);
      perReader.set(target.kind.name, [grown.readers / readers / KIB]);
    }
    const about =
      "The growth of the server's resident memory, divided by their number; measured once, because it never shrinks again.";
    const section = (title: string, kibMax: number, values: ReadonlyMap<string, readonly number[]>) => ({
      title,
      about,
      columns: ["Target", "KiB each"],
      rows: [...values].map(([name, [value = 0]]) => [name, formatCount(value)]),
      bars: [
        { claim: `${title}: node`, atMost: kibMax, measured: values.get(NODE.name)?.[0] ?? Number.NaN, unit: "KiB" },
      ],
      figures: { unit: "KiB", better: "less" as const, values, against: REFERENCE_IN_MEMORY.name },
    });
    return [
      section(`Memory of ${formatCount(streams)} new streams`, STREAM_KIB_MAX, perStream),
      section(`Memory of ${formatCount(readers)} idle SSE readers of one stream`, READER_KIB_MAX, perReader),
    ];
  },
};

/** The bytes that streams and readers needed. */
async function grow(
  target: RunningTarget,
  streams: number,
  readers: number,
): Promise<Record<"streams" | "readers", number>> {
  const followed = `${target.streams}memory-followed`;
  await createStream(followed, HEADERS);
  const opened: IncomingMessage[] = [];
  try {
    const empty = residentBytes(target);
    await forEachConcurrent(numbers(streams), CALLS, async (index) => {
      await createStream(`${target.streams}memory-${index}`, HEADERS);
    });
    const filled = residentBytes(target);
    await forEachConcurrent(numbers(readers), CALLS, async () => void opened.push(await openReader(followed)));
    return { streams: filled - empty, readers: residentBytes(target) - filled };
  } finally {
    for (const response of opened) response.destroy();
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Opens an SSE reader that has caught up. */
async function openReader(stream: string): Promise<IncomingMessage> {
  const request = get(`${stream}?offset=now&live=sse`, { agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`The SSE request was answered with status ${response.statusCode}.`);
  await once(response, "data");
  // Only the end of the measurement closes it.
  response.on("error", () => undefined).resume();
  return response;
}

function residentBytes(target: RunningTarget): number {
  const pids = target.pids().flatMap((pid) => ["-p", String(pid)]);
  const lines = execFileSync("ps", ["-o", "rss=", ...pids], { encoding: "utf8" })
    .trim()
    .split("\n");
  return lines.reduce((sum, line) => sum + Number(line) * KIB, 0);
}
