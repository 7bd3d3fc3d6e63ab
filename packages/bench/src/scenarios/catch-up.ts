/** Reads a large stream from its beginning, from the object and from cold segments, with one reader and with several. */
import { setTimeout as delay } from "node:timers/promises";

import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import {
  CONSTANT_SERVER,
  NODE,
  NODE_HOT,
  REFERENCE_IN_MEMORY,
  REFERENCE_ON_DISK,
  WORKERD,
  WORKERD_HOT,
} from "../targets/index.ts";
import { formatCount, formatMs, formatRatio, formatSpread } from "../units.ts";
import { formatCpu, measureLoad } from "./measured-load.ts";
import type { Bar, RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { appendTo, createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const MEGABYTE = 1_000_000;
const READERS = [1, 8];
const STREAM_MEGABYTES = 100;
const QUICK_MEGABYTES = 12;
/** More than the time that the last segment needs to become cold. */
const SETTLE_MS = 3_000;
/** By how much the engine `node` must beat the reference with a data directory. */
const RATIO_MIN = 5;

export const CATCH_UP: Scenario = {
  summary: "a stream of 100 MB read hot and cold, by 1 and by 8 readers",
  targets: [NODE, NODE_HOT, WORKERD, WORKERD_HOT, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY, CONSTANT_SERVER],
  isForAnyServer: true,
  budget: { full: 45, quick: 10, preparation: 12, quickPreparation: 7, measurements: READERS.length },
  run: async (context) => {
    const megabytes = context.isQuick ? QUICK_MEGABYTES : STREAM_MEGABYTES;
    const body = "x".repeat(MEGABYTE);
    for (const { kind, streams, headers } of context.targets) {
      if (kind === CONSTANT_SERVER) continue;
      await createStream(`${streams}catch-up`, { ...HEADERS, ...headers });
      for (let count = 0; count < megabytes; count += 1) {
        await appendTo(`${streams}catch-up`, { ...HEADERS, ...headers }, body);
      }
    }
    await delay(SETTLE_MS);
    const sections: Section[] = [];
    for (const readers of READERS) sections.push(await measureReaders(context, readers, megabytes));
    return sections;
  },
};

async function measureReaders(context: ScenarioContext, readers: number, megabytes: number): Promise<Section> {
  const { driver, targets, rounds, warmUpMs, measureMs } = context;
  const results = await interleave(targets, rounds, async (target) => {
    const { kind, url, streams, headers } = target;
    const urls = [kind === CONSTANT_SERVER ? `${url}/${megabytes * MEGABYTE}` : `${streams}catch-up?offset=-1`];
    const times = { warmUpMs, measureMs };
    const result = await measureLoad(driver, target, {
      urls,
      method: "GET",
      headers,
      body: "",
      connections: readers,
      ...times,
    });
    if (result.bodyBytes !== result.requests * megabytes * MEGABYTE) {
      throw new Error(`${kind.name} sent ${result.bodyBytes} bytes in ${result.requests} reads`);
    }
    return {
      rate: result.bodyBytes / MEGABYTE / result.seconds,
      p50: result.latencyMs.p50,
      cpuMsEach: result.cpuMsEach,
    };
  });
  const values = new Map([...results].map(([{ kind }, of]) => [kind.name, of.map(({ rate }) => rate)]));
  return {
    title: `Catch-up of ${megabytes} MB by ${readers === 1 ? "1 reader" : `${readers} readers`}`,
    about: [
      `Each reader reads a stream of ${megabytes} appends of 1 MB from its beginning, again and again. Without "no segments", all but`,
      'its end is in cold segments: in files on the engine node, in (simulated) R2 on workerd. "constant bytes" is not a stream',
      "server: it sends one buffer again and again, which is the most that Node.js can send to this load tool.",
    ].join("\n"),
    columns: ["Target", "MB/s in total", "Spread", "p50 of a read", "Processor time per MB"],
    rows: [...results].map(([{ kind }, of]) => rowOf(kind, of, megabytes)),
    bars: barsOf(values),
    figures: { unit: "MB/s", better: "more", values, against: REFERENCE_ON_DISK.name },
  };
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly cpuMsEach: number | undefined;
}

function rowOf({ name }: RunningTarget["kind"], of: readonly Round[], megabytes: number): string[] {
  const rates = of.map(({ rate }) => rate);
  const p50 = median(of.map((each) => each.p50));
  return [name, formatCount(median(rates)), formatSpread(spreadOf(rates)), formatMs(p50), formatCpu(of, megabytes)];
}

function barsOf(values: ReadonlyMap<string, readonly number[]>): Bar[] {
  const rateOf = (name: string): number => median(values.get(name) ?? []);
  const ratioOf = (name: string): number => rateOf(name) / rateOf(REFERENCE_ON_DISK.name);
  const limit = ratioOf(CONSTANT_SERVER.name);
  const ofLimit = Number.isNaN(limit) ? "" : `, where constant bytes reach ${formatRatio(limit)}`;
  return [NODE, NODE_HOT].map(({ name }) => ({
    claim: `${name} against the reference with a data directory${ofLimit}`,
    atLeast: RATIO_MIN,
    measured: ratioOf(name),
  }));
}
