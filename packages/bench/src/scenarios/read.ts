/** Catch-up reads: many small ones, and one large one. */
import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import { BARE_WORKERD, NPM_START, REFERENCE_IN_MEMORY, REFERENCE_ON_DISK } from "../targets/index.ts";
import { formatCount, formatMs, formatRatio, formatSpread } from "../units.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { appendTo, createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const MEGABYTE = 1_000_000;

interface Read {
  readonly title: string;
  readonly unit: string;
  readonly readers: number;
  readonly appends: number;
  readonly appendBytes: number;
  /** Otherwise each reader reads once. */
  readonly repeats: boolean;
}

const SMALL: Read = {
  title: "Small catch-up reads by 16 readers",
  unit: "Reads/s",
  readers: 16,
  appends: 10,
  appendBytes: 100,
  repeats: true,
};

const LARGE: Read = {
  title: "One catch-up read of 100 MB",
  unit: "MB/s",
  readers: 1,
  appends: 100,
  appendBytes: MEGABYTE,
  repeats: false,
};

export const READ: Scenario = {
  targets: [NPM_START, BARE_WORKERD, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY],
  run: async (context) => [await measureRead(context, SMALL), await measureRead(context, LARGE)],
};

async function measureRead(context: ScenarioContext, read: Read): Promise<Section> {
  const { driver, targets, rounds, warmUpMs, measureMs } = context;
  const streamOf = ({ url }: RunningTarget): string => `${url}/v1/stream/read-${read.appends}`;
  for (const target of targets) await fill(streamOf(target), read);
  const results = await interleave(targets, rounds, async (target) => {
    const result = await driver.run({
      url: `${streamOf(target)}?offset=-1`,
      method: "GET",
      headers: {},
      body: "",
      connections: read.readers,
      warmUpMs: read.repeats ? warmUpMs : 0,
      measureMs: read.repeats ? measureMs : 0,
    });
    if (result.bodyBytes !== result.requests * read.appends * read.appendBytes) {
      throw new Error(`${target.kind.name} sent ${result.bodyBytes} bytes in ${result.requests} reads`);
    }
    const amount = read.repeats ? result.requests : result.bodyBytes / MEGABYTE;
    return { rate: amount / result.seconds, p99: result.latencyMs.p99 };
  });
  const medianOf = (name: string): number => {
    const found = [...results].find(([{ kind }]) => kind.name === name)?.[1] ?? [];
    return median(found.map(({ rate }) => rate));
  };
  return {
    title: read.title,
    about: `A stream of ${read.appends} appends of ${read.appendBytes} bytes, read from its beginning.`,
    columns: ["Target", read.unit, "Spread", "p99", "× reference, data directory"],
    rows: [...results].map(([{ kind }, of]) => [
      kind.name,
      formatCount(medianOf(kind.name)),
      formatSpread(spreadOf(of.map(({ rate }) => rate))),
      formatMs(median(of.map(({ p99 }) => p99))),
      formatRatio(medianOf(kind.name) / medianOf(REFERENCE_ON_DISK.name)),
    ]),
    bars: [],
  };
}

async function fill(stream: string, { appends, appendBytes }: Read): Promise<void> {
  await createStream(stream, HEADERS);
  const body = "x".repeat(appendBytes);
  for (let count = 0; count < appends; count += 1) await appendTo(stream, HEADERS, body);
}
