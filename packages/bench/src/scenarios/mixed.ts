/** All kinds of load at once: writers, catch-up readers, and live readers with a writer of their own. */
import { interleave } from "../interleave.ts";
import { startLiveDriver, startLoadDriver } from "../load/driver.ts";
import type { LiveResult, LoadResult } from "../load/job.ts";
import { median } from "../statistics.ts";
import { NODE, REFERENCE_ON_DISK, WORKERD } from "../targets/index.ts";
import { formatCount, formatMs } from "../units.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const MESSAGE = JSON.stringify({ id: 123_456, kind: "order", note: "x".repeat(60) });
const WRITERS = 8;
const STREAMS = 4;
const READERS = 4;
const LIVE_READERS = 50;
const LIVE_MESSAGES_PER_SECOND = 5;

interface Mixed {
  readonly appends: LoadResult;
  readonly reads: LoadResult;
  readonly live: LiveResult;
}

type Drivers = {
  readonly reads: ReturnType<typeof startLoadDriver>;
  readonly live: ReturnType<typeof startLiveDriver>;
};

export const MIXED: Scenario = {
  summary: "writers, readers and live readers at the same time; one minute per server",
  targets: [NODE, WORKERD, REFERENCE_ON_DISK],
  isForAnyServer: true,
  budget: { full: 128, quick: 5, preparation: 3, measurements: 1 },
  run: async (context) => {
    const drivers: Drivers = { reads: startLoadDriver(), live: startLiveDriver() };
    try {
      const results = await interleave(context.targets, context.rounds, (target, round) =>
        mix(context, drivers, target, round),
      );
      return [sectionOf(results)];
    } finally {
      drivers.reads.stop();
      drivers.live.stop();
    }
  },
};

async function mix(
  { driver, warmUpMs, measureMs }: ScenarioContext,
  drivers: Drivers,
  { streams, headers: more }: RunningTarget,
  round: number,
): Promise<Mixed> {
  const headers = { ...HEADERS, ...more };
  const urls = Array.from({ length: STREAMS }, (_, index) => `${streams}mixed-${round}-${index}`);
  const [small, followed] = [`${streams}mixed-${round}-small`, `${streams}mixed-${round}-live`];
  await Promise.all(urls.map((url) => createStream(url, headers)));
  await createStream(small, headers, `[${MESSAGE}]`);
  const offset = await createStream(followed, headers);
  const times = { warmUpMs, measureMs };
  const livePart = { mode: "sse", readers: LIVE_READERS, messagesPerSecond: LIVE_MESSAGES_PER_SECOND } as const;
  const [appends, reads, live] = await Promise.all([
    driver.run({ urls, method: "POST", headers, body: MESSAGE, connections: WRITERS, ...times }),
    drivers.reads.run({
      urls: [`${small}?offset=-1`],
      method: "GET",
      headers: more,
      body: "",
      connections: READERS,
      ...times,
    }),
    drivers.live.run({ url: followed, headers: more, offset, ...livePart, ...times }),
  ]);
  return { appends, reads, live };
}

function sectionOf(results: ReadonlyMap<RunningTarget, readonly Mixed[]>): Section {
  const rates = (of: readonly LoadResult[]): number[] => of.map(({ requests, seconds }) => requests / seconds);
  const p99 = (of: readonly (LoadResult | LiveResult)[]): string =>
    formatMs(median(of.map(({ latencyMs }) => latencyMs.p99)));
  const appends = new Map([...results].map(([{ kind }, of]) => [kind.name, rates(of.map((each) => each.appends))]));
  return {
    title: "Mixed load",
    about: [
      `These run at the same time, in separate processes: ${WRITERS} writers of one message at a time on ${STREAMS} streams, ${READERS} readers of a`,
      `small stream, and ${LIVE_READERS} SSE readers of a stream that gets ${LIVE_MESSAGES_PER_SECOND} messages per second.`,
    ].join("\n"),
    columns: ["Target", "Appends/s", "p99", "Reads/s", "p99 of reads", "p99 of deliveries"],
    rows: [...results].map(([{ kind }, of]) => [
      kind.name,
      formatCount(median(appends.get(kind.name) ?? [])),
      p99(of.map((each) => each.appends)),
      formatCount(median(rates(of.map(({ reads }) => reads)))),
      p99(of.map(({ reads }) => reads)),
      p99(of.map(({ live }) => live)),
    ]),
    bars: [],
    figures: { unit: "appends/s", better: "more", values: appends, against: REFERENCE_ON_DISK.name },
  };
}
