/**
 * Publishing to a stream that sessions follow: how soon all have the message, what it costs, and how it slows the publisher.
 */
import { forEachConcurrent } from "../for-each-concurrent.ts";
import { interleave } from "../interleave.ts";
import type { LoadResult } from "../load/job.ts";
import { median, spreadOf } from "../statistics.ts";
import { WORKERD } from "../targets/index.ts";
import { formatCount, formatMs, formatRatio, formatSpread } from "../units.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { sessionRows } from "./stored-rows.ts";
import { appendTo, createStream, tailOf } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const MESSAGE = JSON.stringify({ id: 123_456, kind: "order", note: "x".repeat(60) });
/** A session that follows both sources. Its name comes last, so each delivery pass reaches it last. */
const LAST = "zz-follows-both";
const CALLS = 16;
const POLL_MS = 5;
const LOOK_MS_MAX = 120_000;
/** Appends per second of a publisher with a fixed pace, whether or not the server keeps up. */
const PER_SECOND = 100;
/** How slow appends may be with many followers, as a fraction of the speed with one follower. */
const P50_RATIO_MIN = 0.87;
const P99_RATIO_MIN = 0.5;

/** The streams on the measured target. */
interface Sources {
  readonly url: string;
  readonly single: string;
  readonly many: string;
  /** Sessions that follow `many`. */
  readonly sessions: readonly string[];
}

export const FAN_OUT: Scenario = {
  summary: "publishing to a stream that sessions follow",
  budget: { full: 60, quick: 6, preparation: 40, quickPreparation: 4, measurements: 4 },
  targets: [WORKERD],
  run: async (context) => {
    const sections: Section[] = [];
    for (const target of context.targets) {
      const sources = await subscribeAll(target, context.followers);
      sections.push(await publishOnce(sources, target, context), await publishOnAndOn(sources, target, context));
    }
    return sections;
  },
};

async function subscribeAll({ url }: RunningTarget, followers: number): Promise<Sources> {
  const [single, many] = ["fan-out-single", "fan-out-many"];
  for (const source of [single, many]) await createStream(`${url}/v1/stream/${source}`, HEADERS);
  const sessions = Array.from({ length: followers - 1 }, (_, index) => `follower-${index}`);
  await forEachConcurrent(sessions, CALLS, (session) => subscribe(url, session, [many]));
  await subscribe(url, LAST, [single, many]);
  return { url, single, many, sessions: [...sessions, LAST] };
}

async function subscribe(url: string, session: string, sources: readonly string[]): Promise<void> {
  await appendTo(`${url}/v1/estuary/${session}/subscriptions`, HEADERS, JSON.stringify({ sources }));
}

/** In each round, publishes one message and waits until every session has it. */
async function publishOnce(sources: Sources, target: RunningTarget, { rounds }: ScenarioContext): Promise<Section> {
  const { url, many, sessions } = sources;
  const before = sessionRows(target.dataDir);
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startMs = performance.now();
    await appendTo(`${url}/v1/stream/${many}`, HEADERS, MESSAGE);
    await arrived(sources, many, [LAST]);
    const lastMs = performance.now();
    const hadToWait = await arrived(sources, many, sessions);
    seconds.push(((hadToWait ? performance.now() : lastMs) - startMs) / 1_000);
  }
  const rows = sessionRows(target.dataDir) - before;
  const rates = seconds.map((taken) => sessions.length / taken);
  return {
    title: `One publish to ${formatCount(sessions.length)} sessions`,
    about: [
      `The time from the publisher's request until every session has the message; ${rounds} publishes. Rows are those of the`,
      "sessions' logs, counted in the data directory. Each delivery is one request to an object: see [cost.md](cost.md).",
    ].join("\n"),
    columns: ["Target", "Until all sessions have it", "Deliveries/s", "Spread", "Rows per delivery"],
    rows: [
      [
        target.kind.name,
        formatMs(median(seconds) * 1_000),
        formatCount(median(rates)),
        formatSpread(spreadOf(rates)),
        (rows / (rounds * sessions.length)).toFixed(3),
      ],
    ],
    bars: [],
  };
}

/** How a publisher sends. */
type Pace = "at once" | "in time";

interface Publishing {
  readonly pace: Pace;
  readonly source: string;
}

/** One publisher, with one follower and with many, while its earlier messages are still being delivered. */
async function publishOnAndOn(
  sources: Sources,
  { dataDir }: RunningTarget,
  context: ScenarioContext,
): Promise<Section> {
  const { driver, rounds, warmUpMs, measureMs } = context;
  const { url, single, many, sessions } = sources;
  const [rowsBefore, tailBefore] = [sessionRows(dataDir), await tailOf(`${url}/v1/stream/${many}`)];
  const cases = (["at once", "in time"] as const).flatMap((pace) => [single, many].map((source) => ({ pace, source })));
  const results = await interleave(cases, rounds, async ({ pace, source }) => {
    const job = { urls: [`${url}/v1/stream/${source}`], method: "POST", headers: HEADERS, body: MESSAGE } as const;
    const paced = pace === "in time" ? { ...job, perSecond: PER_SECOND } : job;
    const result = await driver.run({ ...paced, connections: 1, warmUpMs, measureMs });
    await arrived(sources, source, source === single ? [LAST] : sessions);
    return result;
  });
  const appends = ((await tailOf(`${url}/v1/stream/${many}`)) - tailBefore) / (MESSAGE.length + 1);
  const appendsPerRow = (appends * sessions.length) / (sessionRows(dataDir) - rowsBefore);
  const figures = new Map(cases.map((of) => [of, figuresOf(results.get(of) ?? [])]));
  return publishingSection(sources, figures, appendsPerRow);
}

type PublishingFigures = ReturnType<typeof figuresOf>;

function figuresOf(results: readonly LoadResult[]) {
  return {
    rate: median(results.map(({ requests, seconds }) => requests / seconds)),
    p50: median(results.map(({ latencyMs }) => latencyMs.p50)),
    p99: median(results.map(({ latencyMs }) => latencyMs.p99)),
  };
}

function publishingSection(
  { single, sessions }: Sources,
  figures: ReadonlyMap<Publishing, PublishingFigures>,
  appendsPerRow: number,
): Section {
  const ofSingle = new Map(
    [...figures].filter(([{ source }]) => source === single).map(([{ pace }, of]) => [pace, of]),
  );
  const withRatios = [...figures].flatMap(([of, { rate, p50, p99 }]) => {
    const one = ofSingle.get(of.pace);
    return one === undefined ? [] : [{ ...of, rate, p50, p99, p50Ratio: p50 / one.p50, p99Ratio: p99 / one.p99 }];
  });
  const ofMany = withRatios.filter(({ source }) => source !== single);
  const claimOf = (quantile: string, pace: Pace): string =>
    `${quantile} of appends with 1 follower, relative to ${formatCount(sessions.length)} followers, sent ${pace}`;
  return {
    title: "How followers affect a publisher",
    about: [
      'Acknowledged appends by one publisher while its earlier appends are delivered. "At once": it sends each append as soon as',
      `the previous one is answered. "In time": it sends ${PER_SECOND} per second, and latencies count from when each append was due.`,
      `All ${formatCount(sessions.length)} sessions received everything, with ${appendsPerRow.toFixed(1)} appends per row.`,
    ].join("\n"),
    columns: ["Followers", "Sent", "Appends/s", "p50", "p99", "p50 × 1 follower", "p99 × 1 follower"],
    rows: withRatios.map(({ pace, source, rate, p50, p99, p50Ratio, p99Ratio }) => [
      formatCount(source === single ? 1 : sessions.length),
      pace,
      formatCount(rate),
      formatMs(p50),
      formatMs(p99),
      formatRatio(p50Ratio),
      formatRatio(p99Ratio),
    ]),
    bars: ofMany.flatMap(({ pace, p50Ratio, p99Ratio }) => [
      { claim: claimOf("p50", pace), atLeast: P50_RATIO_MIN, measured: 1 / p50Ratio },
      { claim: claimOf("p99", pace), atLeast: P99_RATIO_MIN, measured: 1 / p99Ratio },
    ]),
  };
}

/**
 * Resolves when the sessions have everything that a source has.
 * @returns whether any session was behind at first.
 * @throws Error when it takes too long.
 */
async function arrived({ url, single, many }: Sources, source: string, sessions: readonly string[]): Promise<boolean> {
  const [ofSingle, ofMany] = await Promise.all([single, many].map((name) => tailOf(`${url}/v1/stream/${name}`)));
  const deadlineMs = performance.now() + LOOK_MS_MAX;
  let hadToWait = false;
  const wanted = (session: string): number => (ofMany ?? 0) + (session === LAST ? (ofSingle ?? 0) : 0);
  await forEachConcurrent(sessions, CALLS, async (session) => {
    while ((await tailOf(`${url}/v1/stream/${session}`)) < wanted(session)) {
      hadToWait = true;
      if (performance.now() > deadlineMs)
        throw new Error(`${session} did not receive everything from ${source} in time.`);
      await new Promise((resolve) => void setTimeout(resolve, POLL_MS));
    }
  });
  return hadToWait;
}
