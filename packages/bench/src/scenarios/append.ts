/** Writers on one stream, each waiting for its append's acknowledgement before it sends the next. */
import { interleave } from "../interleave.ts";
import type { LoadResult } from "../load/job.ts";
import { median, spreadOf } from "../statistics.ts";
import { BARE_WORKERD, NO_OP_SERVER, NPM_START, REFERENCE_IN_MEMORY, REFERENCE_ON_DISK } from "../targets/index.ts";
import type { TargetKind } from "../targets/target.ts";
import { formatCount, formatMs, formatRatio, formatSpread } from "../units.ts";
import type { Bar, RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const MESSAGE = JSON.stringify({ id: 123_456, kind: "order", note: "x".repeat(60) });
const HEADERS = { "Content-Type": "application/json" };

/** By how much `npm start` must beat the reference with a data directory. */
const BARS_BY_WRITERS: ReadonlyMap<number, number> = new Map([
  [64, 4],
  [1, 1],
]);
const LAUNCHER_SHARE_MIN = 0.5;

export const APPEND: Scenario = {
  targets: [NPM_START, BARE_WORKERD, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY, NO_OP_SERVER],
  run: async (context) => {
    const sections: Section[] = [];
    for (const writers of BARS_BY_WRITERS.keys()) sections.push(await measureWriters(context, writers));
    return sections;
  },
};

async function measureWriters(context: ScenarioContext, writers: number): Promise<Section> {
  const { driver, targets, rounds, warmUpMs, measureMs } = context;
  const results = await interleave(targets, rounds, async ({ kind, url }, round) => {
    const stream = `${url}/v1/stream/append-${writers}-${round}`;
    if (kind !== NO_OP_SERVER) await createStream(stream, HEADERS);
    return driver.run({
      url: stream,
      method: "POST",
      headers: HEADERS,
      body: MESSAGE,
      connections: writers,
      warmUpMs,
      measureMs,
    });
  });
  const rates = ratesByKind(results);
  const rateOf = (kind: TargetKind): number => median(rates.get(kind) ?? []);
  return {
    title: writers === 1 ? "Appends by 1 writer" : `Appends by ${writers} writers on one stream`,
    about: `Acknowledged appends of one JSON message of ${MESSAGE.length} bytes; a new stream each round.`,
    columns: ["Target", "Appends/s", "Spread", "p50", "p99", "× reference, data directory"],
    rows: [...results].map(([{ kind }, of]) => [
      kind.name,
      formatCount(rateOf(kind)),
      formatSpread(spreadOf(rates.get(kind) ?? [])),
      formatMs(median(of.map(({ latencyMs }) => latencyMs.p50))),
      formatMs(median(of.map(({ latencyMs }) => latencyMs.p99))),
      formatRatio(rateOf(kind) / rateOf(REFERENCE_ON_DISK)),
    ]),
    bars: barsOf(writers, rateOf),
  };
}

function ratesByKind(results: ReadonlyMap<RunningTarget, readonly LoadResult[]>): Map<TargetKind, number[]> {
  return new Map([...results].map(([{ kind }, of]) => [kind, of.map(({ requests, seconds }) => requests / seconds)]));
}

function barsOf(writers: number, rateOf: (kind: TargetKind) => number): Bar[] {
  const ours = rateOf(NPM_START);
  const who = `${writers} ${writers === 1 ? "writer" : "writers"}`;
  return [
    {
      claim: `${who}: npm start against the reference with a data directory`,
      atLeast: BARS_BY_WRITERS.get(writers) ?? 1,
      measured: ours / rateOf(REFERENCE_ON_DISK),
    },
    {
      claim: `${who}: npm start against bare workerd`,
      atLeast: LAUNCHER_SHARE_MIN,
      measured: ours / rateOf(BARE_WORKERD),
    },
  ];
}
