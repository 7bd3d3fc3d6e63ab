/** Publishing to a stream that sessions follow: how soon all have it, what it takes, and what the publisher feels of it. */
import { forEach } from "../for-each.ts";
import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import { NPM_START } from "../targets/index.ts";
import { formatCount, formatMs, formatRatio, formatSpread } from "../units.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { sessionRows } from "./stored-rows.ts";
import { appendTo, createStream, tailOf } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const MESSAGE = JSON.stringify({ id: 123_456, kind: "order", note: "x".repeat(60) });
/** Follows both sources, and comes last in the order of names, which is that of a round. */
const LAST = "zz-follows-both";
const CALLS = 16;
const POLL_MS = 5;
const LOOK_MS_MAX = 120_000;
/** How much slower a publisher with many followers may be: a third as fast. */
const LATENCY_RATIO_MIN = 0.33;

/** Streams on the target that is measured. */
interface Sources {
  readonly url: string;
  readonly single: string;
  readonly many: string;
  /** Sessions that follow `many`. */
  readonly sessions: readonly string[];
}

export const FAN_OUT: Scenario = {
  summary: "publishing to a stream that sessions follow",
  budget: { full: 60, quick: 6, preparation: 40, quickPreparation: 4, measurements: 2 },
  targets: [NPM_START],
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
  await forEach(sessions, CALLS, (session) => subscribe(url, session, [many]));
  await subscribe(url, LAST, [single, many]);
  return { url, single, many, sessions: [...sessions, LAST] };
}

async function subscribe(url: string, session: string, sources: readonly string[]): Promise<void> {
  await appendTo(`${url}/v1/estuary/${session}/subscriptions`, HEADERS, JSON.stringify({ sources }));
}

/** Each round: one message, until every session has it. */
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
      `From the publisher's request until every session has the message; ${rounds} publishes. Rows are those of the`,
      "sessions' logs, counted in the data directory; each is one request to the session's object.",
    ].join("\n"),
    columns: ["Target", "Until all have it", "Deliveries/s", "Spread", "Rows per delivery"],
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

/** One publisher that never rests, with one follower and with many. */
async function publishOnAndOn(
  sources: Sources,
  { dataDir }: RunningTarget,
  context: ScenarioContext,
): Promise<Section> {
  const { driver, rounds, warmUpMs, measureMs } = context;
  const { url, single, many, sessions } = sources;
  const [rowsBefore, tailBefore] = [sessionRows(dataDir), await tailOf(`${url}/v1/stream/${many}`)];
  const results = await interleave([single, many], rounds, async (source) => {
    const result = await driver.run({
      urls: [`${url}/v1/stream/${source}`],
      method: "POST",
      headers: HEADERS,
      body: MESSAGE,
      connections: 1,
      warmUpMs,
      measureMs,
    });
    const followers = source === single ? [LAST] : sessions;
    await arrived(sources, source, followers);
    return result;
  });
  const appends = ((await tailOf(`${url}/v1/stream/${many}`)) - tailBefore) / (MESSAGE.length + 1);
  const appendsPerRow = (appends * sessions.length) / (sessionRows(dataDir) - rowsBefore);
  const latencyOf = (source: string) => (results.get(source) ?? []).map(({ latencyMs }) => latencyMs);
  const p50Of = (source: string): number => median(latencyOf(source).map(({ p50 }) => p50));
  return {
    title: "What a publisher feels of its followers",
    about: [
      "Acknowledged appends by one publisher that sends the next as soon as it has its answer, while the earlier ones are",
      `delivered. All ${formatCount(sessions.length)} got all of it, ${appendsPerRow.toFixed(1)} appends in a row.`,
    ].join("\n"),
    columns: ["Followers", "Appends/s", "p50", "p99", "p50 × 1 follower"],
    rows: [single, many].map((source) => [
      formatCount(source === single ? 1 : sessions.length),
      formatCount(median((results.get(source) ?? []).map(({ requests, seconds }) => requests / seconds))),
      formatMs(p50Of(source)),
      formatMs(median(latencyOf(source).map(({ p99 }) => p99))),
      formatRatio(p50Of(source) / p50Of(single)),
    ]),
    bars: [
      {
        claim: `p50 of appends with 1 follower against that with ${formatCount(sessions.length)}`,
        atLeast: LATENCY_RATIO_MIN,
        measured: p50Of(single) / p50Of(many),
      },
    ],
  };
}

/**
 * Resolves when sessions have all that a source has; whether any had not at the first look.
 * @throws when that takes too long.
 */
async function arrived({ url, single, many }: Sources, source: string, sessions: readonly string[]): Promise<boolean> {
  const [ofSingle, ofMany] = await Promise.all([single, many].map((name) => tailOf(`${url}/v1/stream/${name}`)));
  const deadlineMs = performance.now() + LOOK_MS_MAX;
  let hadToWait = false;
  const wanted = (session: string): number => (ofMany ?? 0) + (session === LAST ? (ofSingle ?? 0) : 0);
  await forEach(sessions, CALLS, async (session) => {
    while ((await tailOf(`${url}/v1/stream/${session}`)) < wanted(session)) {
      hadToWait = true;
      if (performance.now() > deadlineMs) throw new Error(`${session} has not got all of ${source}.`);
      await new Promise((resolve) => void setTimeout(resolve, POLL_MS));
    }
  });
  return hadToWait;
}
