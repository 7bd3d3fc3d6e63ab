/** Catch-up reads: many small ones, and one large one. */
import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import { BARE_WORKERD, NPM_START, REFERENCE_IN_MEMORY, REFERENCE_ON_DISK } from "../targets/index.ts";
import { formatCount, formatMs, formatSpread } from "../units.ts";
import type { Bar, RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
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
  summary: "many small catch-up reads, and one of 100 MB",
  isForAnyServer: true,
  budget: { full: 25, quick: 6, preparation: 4, measurements: 2 },
  targets: [NPM_START, BARE_WORKERD, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY],
  run: async (context) => [await measureRead(context, SMALL), await measureRead(context, LARGE)],
};

async function measureRead(context: ScenarioContext, read: Read): Promise<Section> {
  const { driver, targets, rounds, warmUpMs, measureMs } = context;
  const streamOf = ({ streams }: RunningTarget): string => `${streams}read-${read.appends}`;
  for (const target of targets) await fill(streamOf(target), { ...HEADERS, ...target.headers }, read);
  const results = await interleave(targets, rounds, async (target) => {
    const result = await driver.run({
      urls: [`${streamOf(target)}?offset=-1`],
      method: "GET",
      headers: target.headers,
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
    columns: ["Target", read.unit, "Spread", "p99"],
    rows: [...results].map(([{ kind }, of]) => [
      kind.name,
      formatCount(medianOf(kind.name)),
      formatSpread(spreadOf(of.map(({ rate }) => rate))),
      formatMs(median(of.map(({ p99 }) => p99))),
    ]),
    bars: barsOf(read, medianOf),
    figures: {
      unit: read.unit.toLowerCase().replace("mb", "MB"),
      better: "more",
      values: new Map([...results].map(([{ kind }, of]) => [kind.name, of.map(({ rate }) => rate)])),
      against: REFERENCE_ON_DISK.name,
    },
  };
}

function barsOf({ repeats }: Read, rateOf: (name: string) => number): Bar[] {
  const barAgainst = (name: string, atLeast: number): Bar => ({
    claim: `npm start against the ${name}`,
    atLeast,
    measured: rateOf(NPM_START.name) / rateOf(name),
  });
  if (!repeats) return [barAgainst(REFERENCE_IN_MEMORY.name, 1.5)];
  return [barAgainst(REFERENCE_ON_DISK.name, 4), barAgainst(REFERENCE_IN_MEMORY.name, 0.7)];
}

async function fill(stream: string, headers: Record<string, string>, { appends, appendBytes }: Read): Promise<void> {
  await createStream(stream, headers);
  const body = "x".repeat(appendBytes);
  for (let count = 0; count < appends; count += 1) await appendTo(stream, headers, body);
}
