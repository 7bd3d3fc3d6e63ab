/** The processor time of workerd per operation, for the page of costs. */
import { cpuMsOf } from "../cpu-time.ts";
import { startLiveDriver } from "../load/driver.ts";
import type { LoadJob } from "../load/job.ts";
import { median, spreadOf } from "../statistics.ts";
import { WORKERD } from "../targets/index.ts";
import { formatMs } from "../units.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/json" };
const MESSAGE = JSON.stringify({ id: 123_456, kind: "order", note: "x".repeat(60) });
const CONNECTIONS = 4;
const READERS = 100;
const MESSAGES_PER_SECOND = 10;

/** The rows, under their names on the page of costs. */
export const CPU_ROWS = { append: "append of one message", read: "small read", delivery: "delivery to an SSE reader" };

type Measured = Record<keyof typeof CPU_ROWS, number>;

export const CPU: Scenario = {
  summary: "workerd's processor time per operation; with --write also updates docs/cost.md; Linux only",
  targets: [WORKERD],
  budget: { preparation: 4, measurements: 3 },
  run: async (context) => {
    const [target] = context.targets;
    if (target === undefined) throw new Error("The target was not started.");
    await measure(context, target, "warm-up");
    const rounds: Measured[] = [];
    for (let round = 0; round < context.rounds; round += 1) {
      rounds.push(await measure(context, target, String(round)));
    }
    return [sectionOf(rounds)];
  },
};

async function measure(context: ScenarioContext, target: RunningTarget, round: string): Promise<Measured> {
  const append = await cpuPerRequest(context, target, `cpu-append-${round}`, { method: "POST", body: MESSAGE });
  const read = await cpuPerRequest(context, target, `cpu-read-${round}`, { method: "GET", body: "" });
  return { append, read, delivery: await cpuPerDelivery(context, target, `cpu-live-${round}`, append) };
}

async function cpuPerRequest(
  { driver, measureMs }: ScenarioContext,
  target: RunningTarget,
  name: string,
  request: Pick<LoadJob, "method" | "body">,
): Promise<number> {
  const url = `${target.streams}${name}`;
  await createStream(url, HEADERS, `[${MESSAGE}]`);
  const urls = [request.method === "GET" ? `${url}?offset=-1` : url];
  const beforeMs = cpuMs(target);
  const times = { warmUpMs: 0, measureMs };
  const { requests } = await driver.run({ urls, headers: HEADERS, connections: CONNECTIONS, ...request, ...times });
  return (cpuMs(target) - beforeMs) / requests;
}

/** Without the time of its appends. */
async function cpuPerDelivery(
  { measureMs }: ScenarioContext,
  target: RunningTarget,
  name: string,
  appendMs: number,
): Promise<number> {
  const url = `${target.streams}${name}`;
  const offset = await createStream(url, HEADERS);
  const live = startLiveDriver();
  try {
    const job = { url, headers: {}, offset, mode: "sse", readers: READERS } as const;
    const pace = { messagesPerSecond: MESSAGES_PER_SECOND, warmUpMs: 0 };
    // Opening the readers is not measured: two runs differ only in the number of their messages.
    const [shortMs, long] = [measureMs / 4, measureMs];
    const first = await cpuOf(target, () => live.run({ ...job, ...pace, measureMs: shortMs }));
    const tail = await createStream(`${url}-more`, HEADERS);
    const more = { ...job, url: `${url}-more`, offset: tail, ...pace, measureMs: long };
    const second = await cpuOf(target, () => live.run(more));
    const deliveries = second.result.deliveries - first.result.deliveries;
    return (second.cpuMs - first.cpuMs - (deliveries / READERS) * appendMs) / deliveries;
  } finally {
    live.stop();
  }
}

async function cpuOf<Result>(
  target: RunningTarget,
  work: () => Promise<Result>,
): Promise<{ result: Result; cpuMs: number }> {
  const beforeMs = cpuMs(target);
  const result = await work();
  return { result, cpuMs: cpuMs(target) - beforeMs };
}

/** The launcher, the first process, does nothing for requests. */
function cpuMs(target: RunningTarget): number {
  const ms = cpuMsOf(target.pids().slice(-1));
  if (ms === undefined) throw new Error("This system does not tell the processor time of a process.");
  return ms;
}

function sectionOf(rounds: readonly Measured[]): Section {
  const names = Object.keys(CPU_ROWS) as (keyof Measured)[];
  const values = new Map(names.map((name) => [CPU_ROWS[name], rounds.map((round) => round[name])]));
  return {
    title: "Processor time of workerd",
    about: `"workerd" with ${CONNECTIONS} connections, or with ${READERS} SSE readers and ${MESSAGES_PER_SECOND} messages per second: user and system time of all its threads.`,
    columns: ["Operation", "Each", "Spread"],
    rows: [...values].map(([name, of]) => {
      const { min, max } = spreadOf(of);
      return [name, formatMs(median(of)), `${formatMs(min)} – ${formatMs(max)}`];
    }),
    bars: [],
    figures: { unit: "ms", better: "less", values, against: "" },
  };
}
