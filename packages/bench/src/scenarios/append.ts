/** Writers that wait for the acknowledgement of each append before the next: on one stream, and on one stream each. */
import { interleave } from "../interleave.ts";
import {
  BARE_WORKERD,
  LEAST_PROGRAM,
  NO_OP_SERVER,
  NODE,
  NODE_MEMORY,
  REFERENCE_IN_MEMORY,
  REFERENCE_ON_DISK,
  WORKERD,
} from "../targets/index.ts";
import type { TargetKind } from "../targets/target.ts";
import { loadSection } from "./load-section.ts";
import { measureLoad, type MeasuredLoad } from "./measured-load.ts";
import type { Bar, RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const MESSAGE = JSON.stringify({ id: 123_456, kind: "order", note: "x".repeat(60) });
const HEADERS = { "Content-Type": "application/json" };

interface Writers {
  readonly writers: number;
  readonly streams: number;
  readonly title: string;
  /** By how much the engine `node` must beat the reference with a data directory. */
  readonly ratioMin: number;
}

const VARIANTS: readonly Writers[] = [
  { writers: 64, streams: 1, title: "Appends by 64 writers on one stream", ratioMin: 10 },
  { writers: 64, streams: 64, title: "Appends by 64 writers on 64 streams", ratioMin: 5 },
  { writers: 1, streams: 1, title: "Appends by 1 writer", ratioMin: 2 },
];
const MEMORY_SHARE_MIN = 0.8;
const LAUNCHER_SHARE_MIN = 0.5;

export const APPEND: Scenario = {
  summary: "appends of one message by 64 writers on one stream and on 64 streams, and by 1 writer",
  targets: [
    NODE,
    NODE_MEMORY,
    WORKERD,
    BARE_WORKERD,
    REFERENCE_ON_DISK,
    REFERENCE_IN_MEMORY,
    LEAST_PROGRAM,
    NO_OP_SERVER,
  ],
  isForAnyServer: true,
  budget: { full: 88, quick: 11, preparation: 12, quickPreparation: 6, measurements: VARIANTS.length },
  run: async (context) => {
    const sections: Section[] = [];
    for (const variant of VARIANTS) sections.push(await measureWriters(context, variant));
    return sections;
  },
};

async function measureWriters(context: ScenarioContext, variant: Writers): Promise<Section> {
  const { targets, rounds } = context;
  const results = await interleave(targets, rounds, (target, round) => append(context, target, variant, round));
  return loadSection({
    title: variant.title,
    about: `Acknowledged appends of one JSON message of ${MESSAGE.length} bytes, to ${variant.streams === 1 ? "a new stream in each round" : "the same streams in all rounds"}.`,
    unit: "appends",
    results,
    against: REFERENCE_ON_DISK,
    unplotted: NO_OP_SERVER, // The limit of the load tool would make all other bars short.
    bars: (rateOf) => barsOf(variant, rateOf),
  });
}

async function append(
  { driver, warmUpMs, measureMs }: ScenarioContext,
  target: RunningTarget,
  { writers, streams }: Writers,
  round: number,
): Promise<MeasuredLoad> {
  const url = `${target.streams}append-${writers}-${streams}`;
  // Each round uses the same streams: the reference with a data directory answers 404 for a while when many are created.
  const urls = streams === 1 ? [`${url}-${round}`] : Array.from({ length: streams }, (_, index) => `${url}-${index}`);
  const headers = { ...HEADERS, ...target.headers };
  if (target.kind !== NO_OP_SERVER) await Promise.all(urls.map((each) => createStream(each, headers)));
  const times = { warmUpMs, measureMs };
  return measureLoad(driver, target, { urls, method: "POST", headers, body: MESSAGE, connections: writers, ...times });
}

function barsOf({ title, ratioMin }: Writers, rateOf: (kind: TargetKind) => number): Bar[] {
  const ratio = (ours: TargetKind, theirs: TargetKind): number => rateOf(ours) / rateOf(theirs);
  return [
    {
      claim: `${title}: node against the reference with a data directory`,
      atLeast: ratioMin,
      measured: ratio(NODE, REFERENCE_ON_DISK),
    },
    {
      claim: `${title}: node in memory against the reference in memory`,
      atLeast: MEMORY_SHARE_MIN,
      measured: ratio(NODE_MEMORY, REFERENCE_IN_MEMORY),
    },
    {
      claim: `${title}: workerd against bare workerd`,
      atLeast: LAUNCHER_SHARE_MIN,
      measured: ratio(WORKERD, BARE_WORKERD),
    },
  ];
}
