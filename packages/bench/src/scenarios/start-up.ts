/** How long a server takes from its start until it has created a stream. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import { BARE_WORKERD, NODE, REFERENCE_ON_DISK, WORKERD } from "../targets/index.ts";
import type { TargetKind } from "../targets/target.ts";
import { formatMs } from "../units.ts";
import type { Scenario } from "./scenario.ts";
import { createStream } from "./streams.ts";

const KINDS = [NODE, WORKERD, BARE_WORKERD, REFERENCE_ON_DISK];

export const START_UP: Scenario = {
  summary: "from the start of the process to the first stream",
  targets: [],
  budget: { full: 15, quick: 3, preparation: 15, measurements: 0 },
  run: async ({ rounds, isQuick }) => {
    const kinds = KINDS.filter(({ isExtra }) => !isQuick || isExtra !== true);
    const results = await interleave(kinds, rounds, start);
    const values = new Map([...results].map(([{ name }, of]) => [name, of]));
    return [
      {
        title: "Start-up",
        about:
          "The time from the start, with an empty data directory, until a PUT of a stream is answered. On workerd, the Worker is bundled first.",
        columns: ["Target", "Until the first stream", "Spread"],
        rows: [...values].map(([name, of]) => {
          const { min, max } = spreadOf(of);
          return [name, formatMs(median(of)), `${formatMs(min)} – ${formatMs(max)}`];
        }),
        bars: [],
        figures: { unit: "ms", better: "less", values, against: REFERENCE_ON_DISK.name },
      },
    ];
  },
};

async function start(kind: TargetKind): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), "bench-start-"));
  const startMs = performance.now();
  const target = await kind.start(dataDir);
  try {
    await createStream(`${target.url}/v1/stream/first`, { "Content-Type": "application/json" });
    return performance.now() - startMs;
  } finally {
    await target.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
