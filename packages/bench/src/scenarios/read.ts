/** Many small catch-up reads. */
import { interleave } from "../interleave.ts";
import { BARE_WORKERD, LEAST_PROGRAM, NPM_START, REFERENCE_IN_MEMORY, REFERENCE_ON_DISK } from "../targets/index.ts";
import { loadSection } from "./load-section.ts";
import type { RunningTarget, Scenario, ScenarioContext, Section } from "./scenario.ts";
import { appendTo, createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const READERS = 16;
const APPENDS = 10;
const APPEND_BYTES = 100;
/** How many times as many reads `npm start` must serve. */
const RATIOS_MIN = new Map([
  [REFERENCE_ON_DISK, 4],
  [REFERENCE_IN_MEMORY, 0.7],
]);

export const READ: Scenario = {
  summary: "many small catch-up reads",
  isForAnyServer: true,
  budget: { full: 20, quick: 4, preparation: 2, measurements: 1 },
  targets: [NPM_START, BARE_WORKERD, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY, LEAST_PROGRAM],
  run: async (context) => [await measureReads(context)],
};

async function measureReads({ driver, targets, rounds, warmUpMs, measureMs }: ScenarioContext): Promise<Section> {
  const streamOf = ({ streams }: RunningTarget): string => `${streams}read-${APPENDS}`;
  for (const target of targets) await fill(streamOf(target), { ...HEADERS, ...target.headers });
  const results = await interleave(targets, rounds, async (target) => {
    const urls = [`${streamOf(target)}?offset=-1`];
    const { headers, kind } = target;
    const times = { warmUpMs, measureMs };
    const result = await driver.run({ urls, method: "GET", headers, body: "", connections: READERS, ...times });
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
        claim: `npm start against the ${kind.name}`,
        atLeast,
        measured: rateOf(NPM_START) / rateOf(kind),
      })),
  });
}

async function fill(stream: string, headers: Record<string, string>): Promise<void> {
  await createStream(stream, headers);
  for (let count = 0; count < APPENDS; count += 1) await appendTo(stream, headers, "x".repeat(APPEND_BYTES));
}
