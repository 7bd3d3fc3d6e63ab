/** How soon live readers get a message over SSE and long-poll. */
import { interleave } from "../interleave.ts";
import { startLiveDriver } from "../load/driver.ts";
import type { LiveJob, LiveResult } from "../load/job.ts";
import { median, spreadOf } from "../statistics.ts";
import { NODE, NODE_MEMORY, REFERENCE_IN_MEMORY, WORKERD } from "../targets/index.ts";
import { formatCount, formatMs } from "../units.ts";
import type { Bar, RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const MODES = { sse: "SSE", "long-poll": "Long-poll" } as const;
/** The number of readers, and of messages per second that they get. */
const LEVELS = [
  { readers: 1, messagesPerSecond: 50 },
  { readers: 100, messagesPerSecond: 10 },
  { readers: 1_000, messagesPerSecond: 2 },
];
const QUICK_READERS_MAX = 100;
const READERS_JUDGED = 1_000;
/** How many times as long the slowest 1 % may take on the engine `node`, which makes messages durable first. */
const P99_RATIOS_MAX = { sse: 1, "long-poll": 1.2 };

type Level = (typeof LEVELS)[number] & { readonly mode: keyof typeof MODES };
type Results = ReadonlyMap<RunningTarget, readonly LiveResult[]>;

export const LIVE: Scenario = {
  summary: "delivery to 1, 100 and 1,000 readers over SSE and long-poll",
  targets: [NODE, NODE_MEMORY, WORKERD, REFERENCE_IN_MEMORY],
  isForAnyServer: true,
  budget: { full: 100, quick: 10, preparation: 32, quickPreparation: 5, measurements: 2 * LEVELS.length },
  run: async (context) => {
    const live = startLiveDriver();
    const levels = LEVELS.filter(({ readers }) => !context.isQuick || readers <= QUICK_READERS_MAX);
    const sections: Section[] = [];
    try {
      for (const mode of ["sse", "long-poll"] as const) {
        for (const level of levels)
          sections.push(await measureLevel(context, (job) => live.run(job), { mode, ...level }));
      }
    } finally {
      live.stop();
    }
    return sections;
  },
};

async function measureLevel(
  { targets, rounds, warmUpMs, measureMs }: ScenarioContext,
  run: (job: LiveJob) => Promise<LiveResult>,
  level: Level,
): Promise<Section> {
  const results: Results = await interleave(targets, rounds, async (target, round) => {
    const url = `${target.streams}live-${level.mode}-${level.readers}-${round}`;
    const offset = await createStream(url, { ...HEADERS, ...target.headers });
    return run({ url, headers: target.headers, offset, ...level, warmUpMs, measureMs });
  });
  const p99s = new Map([...results].map(([{ kind }, of]) => [kind.name, of.map(({ latencyMs }) => latencyMs.p99)]));
  const count = level.readers === 1 ? "1 reader" : `${formatCount(level.readers)} readers`;
  return {
    title: `${MODES[level.mode]} delivery to ${count}`,
    about: [
      `One writer sends ${level.messagesPerSecond} messages per second, whether or not the server keeps up. Each reader measures a delivery from when`,
      "its message was due; the time includes what the load tool takes to read it.",
    ].join("\n"),
    columns: ["Target", "p99", "Spread", "p50", "Deliveries"],
    rows: [...results].map(([{ kind }, of]) => [
      kind.name,
      formatMs(median(p99s.get(kind.name) ?? [])),
      spreadText(p99s.get(kind.name) ?? []),
      formatMs(median(of.map(({ latencyMs }) => latencyMs.p50))),
      formatCount(of.reduce((sum, { deliveries }) => sum + deliveries, 0)),
    ]),
    bars: barsOf(level, p99s),
    figures: { unit: "ms, p99", better: "less", values: p99s, against: REFERENCE_IN_MEMORY.name },
  };
}

function spreadText(values: readonly number[]): string {
  const { min, max } = spreadOf(values);
  return `${formatMs(min)} – ${formatMs(max)}`;
}

/** Both serve all readers from one process: whether messages are stored is the smaller part. */
function barsOf({ mode, readers }: Level, p99s: ReadonlyMap<string, readonly number[]>): Bar[] {
  if (readers < READERS_JUDGED) return [];
  const p99Of = (name: string): number => median(p99s.get(name) ?? []);
  return [
    {
      claim: `${MODES[mode]} to ${formatCount(readers)} readers: p99 of node against the reference in memory`,
      atMost: P99_RATIOS_MAX[mode],
      measured: p99Of(NODE.name) / p99Of(REFERENCE_IN_MEMORY.name),
    },
  ];
}
