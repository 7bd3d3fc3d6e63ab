/** Appends with several messages each. */
import { interleave } from "../interleave.ts";
import { NODE, NODE_MEMORY, REFERENCE_IN_MEMORY, REFERENCE_ON_DISK, WORKERD } from "../targets/index.ts";
import { loadSection } from "./load-section.ts";
import { measureLoad } from "./measured-load.ts";
import type { Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const MESSAGE = { id: 123_456, kind: "order", note: "x".repeat(60) };
const HEADERS = { "Content-Type": "application/json" };
const BATCHES = [1, 10, 100];
const QUICK_BATCHES = [100];
const WRITERS = 8;
/** By how much the engine `node` must beat the reference with a data directory, by the size of the batches. */
const RATIOS_MIN = new Map([[100, 4]]);

export const BATCH: Scenario = {
  summary: `appends of ${BATCHES.join(", ")} messages by ${WRITERS} writers`,
  targets: [NODE, NODE_MEMORY, WORKERD, REFERENCE_ON_DISK, REFERENCE_IN_MEMORY],
  isForAnyServer: true,
  budget: { full: 30, quick: 6, preparation: 3, measurements: BATCHES.length, quickMeasurements: QUICK_BATCHES.length },
  run: async (context) => {
    const sections: Section[] = [];
    const batches = context.isQuick ? QUICK_BATCHES : BATCHES;
    for (const messages of batches) sections.push(await measureBatches(context, messages));
    return sections;
  },
};

async function measureBatches(context: ScenarioContext, messages: number): Promise<Section> {
  const { driver, targets, rounds, warmUpMs, measureMs } = context;
  const body = JSON.stringify(Array.from({ length: messages }, () => MESSAGE));
  const results = await interleave(targets, rounds, async (target, round) => {
    const url = `${target.streams}batch-${messages}-${round}`;
    const headers = { ...HEADERS, ...target.headers };
    await createStream(url, headers);
    const times = { warmUpMs, measureMs };
    return measureLoad(driver, target, { urls: [url], method: "POST", headers, body, connections: WRITERS, ...times });
  });
  return loadSection({
    title: `Appends of ${messages === 1 ? "1 message" : `${messages} messages`} each`,
    about: `${WRITERS} writers append JSON arrays to one stream, with ${JSON.stringify(MESSAGE).length} bytes per message. Each round uses a new stream.`,
    unit: "messages",
    results,
    amount: ({ requests }) => requests * messages,
    against: REFERENCE_ON_DISK,
    bars: (rateOf) => {
      const atLeast = RATIOS_MIN.get(messages);
      if (atLeast === undefined) return [];
      const claim = `Appends of ${messages} messages: node against the reference with a data directory`;
      return [{ claim, atLeast, measured: rateOf(NODE) / rateOf(REFERENCE_ON_DISK) }];
    },
  });
}
