/** What many live readers of one stream cost the server, and how soon they get a message. */
import { interleave } from "../interleave.ts";
import { startLiveDriver } from "../load/driver.ts";
import type { LiveJob, LiveResult } from "../load/job.ts";
import { median } from "../statistics.ts";
import { NODE, WORKERD } from "../targets/index.ts";
import { formatCount, formatMs } from "../units.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const MODES = { sse: "SSE readers", "long-poll": "long-polls" } as const;
const SMALL = 60;
const LARGE = 4_000;
/** The number of readers, the messages per second that each of them gets, and the length of a message's text. */
const LEVELS = [
  { mode: "sse", readers: 1_000, messagesPerSecond: 2, noteLength: SMALL },
  { mode: "sse", readers: 1_000, messagesPerSecond: 2, noteLength: LARGE },
  { mode: "long-poll", readers: 1_000, messagesPerSecond: 2, noteLength: SMALL },
  { mode: "sse", readers: 10_000, messagesPerSecond: 0.3, noteLength: SMALL },
  { mode: "sse", readers: 10_000, messagesPerSecond: 0.3, noteLength: LARGE },
] as const;
const QUICK_READERS_MAX = 1_000;

type Level = (typeof LEVELS)[number];

export const READERS: Scenario = {
  summary: "1,000 and 10,000 live readers of one stream: latency, processor time and memory",
  targets: [WORKERD, NODE],
  budget: { preparation: 120, measurements: LEVELS.length },
  run: async (context) => {
    const live = startLiveDriver();
    const sections: Section[] = [];
    try {
      for (const level of LEVELS.filter(({ readers }) => !context.isQuick || readers <= QUICK_READERS_MAX)) {
        sections.push(await measureLevel(context, (job) => live.run(job), level));
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
  const { mode, readers, noteLength, messagesPerSecond } = level;
  const results = await interleave(targets, rounds, async (target, round) => {
    const url = `${target.streams}readers-${mode}-${readers}-${noteLength}-${round}`;
    const offset = await createStream(url, { ...HEADERS, ...target.headers });
    return run({ url, headers: target.headers, offset, ...level, warmUpMs, measureMs, pids: target.pids() });
  });
  const valuesOf = (valueOf: (result: LiveResult) => number): Map<RunningTarget, number> =>
    new Map([...results].map(([target, of]) => [target, median(of.map(valueOf))]));
  const p50 = valuesOf(({ latencyMs }) => latencyMs.p50);
  const p99 = valuesOf(({ latencyMs }) => latencyMs.p99);
  const us = valuesOf(({ server }) => server.usPerDelivery ?? Number.NaN);
  // What an earlier round needed is used again, so only the first round shows it.
  const kib = new Map([...results].map(([target, [first]]) => [target, first?.server.kibPerReader ?? Number.NaN]));
  const rows = [...results].map(([target, of]) => [
    target.kind.name,
    formatMs(p99.get(target) ?? Number.NaN),
    formatMs(p50.get(target) ?? Number.NaN),
    `${(us.get(target) ?? Number.NaN).toFixed(0)} µs`,
    mode === "sse" ? `${formatCount(kib.get(target) ?? Number.NaN)} KiB` : "",
    formatCount(of.reduce((sum, { deliveries }) => sum + deliveries, 0)),
  ]);
  return {
    title: `${formatCount(readers)} ${MODES[mode]}, messages of ${formatCount(noteLength + 40)} bytes`,
    about: [
      `One writer sends ${messagesPerSecond} messages per second, whether or not the server keeps up. Processor time is that of`,
      "the whole server for each delivery. Memory is what an idle reader added to it.",
    ].join("\n"),
    columns: ["Target", "p99", "p50", "Processor time", "Memory of a reader", "Deliveries"],
    rows,
    bars: [],
    figures: {
      unit: "µs of processor time for each delivery",
      better: "less",
      values: new Map(
        [...results].map(([{ kind }, of]) => [kind.name, of.map((each) => each.server.usPerDelivery ?? 0)]),
      ),
      against: "",
    },
  };
}
