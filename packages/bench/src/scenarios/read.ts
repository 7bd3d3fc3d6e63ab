/** Many small catch-up reads. */
import { interleave } from "../interleave.ts";
import {
  BARE_WORKERD,
  LEAST_PROGRAM,
  NODE,
  NODE_MEMORY,
  REFERENCE_IN_MEMORY,
  REFERENCE_ON_DISK,
  WORKERD,
} from "../targets/index.ts";
import { loadSection } from "./load-section.ts";
import { measureLoad } from "./measured-load.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { appendTo, createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const READERS = 16;
const APPENDS = 10;
const APPEND_BYTES = 100;
/** How many times as many reads the engine `node` must serve. */
const RATIOS_MIN = new Map([
  [REFERENCE_ON_DISK, 8],
  [REFERENCE_IN_MEMORY, 1],
]);

export const READ: Scenario = {
  summary: "many small catch-up reads",
  isForAnyServer: true,
  budget: { full: 20, quick: 4, preparation: 2, measurements: 1 },
  targets: [NODE, NODE_MEMORY, WORKERD, BARE_WORKERD, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY, LEAST_PROGRAM],
  run: async (context) => [await measureReads(context)],
};

async function measureReads({ driver, targets, rounds, warmUpMs, measureMs }: ScenarioContext): Promise<Section> {
  const streamOf = ({ streams }: RunningTarget): string => `${streams}read-${APPENDS}`;
  for (const target of targets) await fill(streamOf(target), { ...HEADERS, ...target.headers });
  const results = await interleave(targets, rounds, async (target) => {
    const urls = [`${streamOf(target)}?offset=-1`];
    const { headers, kind } = target;
    const times = { warmUpMs, measureMs };
    const result = await measureLoad(driver, target, {
      urls,
      method: "GET",
      headers,
      body: "",
      connections: READERS,
      ...times,
    });
    if (result.bodyBytes !== result.requests * APPENDS * APPEND_BYTES) {
      throw new Error(`${kind.name} sent ${result.bodyBytes} bytes in ${result.requests} reads`);
    }
    return result;
  });
  return loadSection({
    title: `Small catch-up reads by ${READERS} readers`,
    about: `A stream of ${APPENDS} appends of ${APPEND_BYTES} bytes, read from its beginning.`,
    unit: "reads",
    results,
    against: REFERENCE_ON_DISK,
    bars: (rateOf) =>
      [...RATIOS_MIN].map(([kind, atLeast]) => ({
        claim: `node against the ${kind.name}`,
        atLeast,
        measured: rateOf(NODE) / rateOf(kind),
      })),
  });
}

async function fill(stream: string, headers: Record<string, string>): Promise<void> {
  await createStream(stream, headers);
  for (let count = 0; count < APPENDS; count += 1) await appendTo(stream, headers, "x".repeat(APPEND_BYTES));
}
