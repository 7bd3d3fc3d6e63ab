/** What rolling does to appends that go on meanwhile. */
import { interleave } from "../interleave.ts";
import { median, spreadOf } from "../statistics.ts";
import { ROLLING_NEVER, ROLLING_OFTEN } from "../targets/index.ts";
import { formatCount, formatMs, formatSpread } from "../units.ts";
import type { Scenario } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const WRITERS = 16;
const APPEND_BYTES = 1_000;
/** How much slower the slowest hundredth of appends may be: half as fast. */
const P99_RATIO_MIN = 0.5;

export const ROLL: Scenario = {
  summary: "appends while segments move to R2",
  budget: { full: 25, preparation: 4, measurements: 1 },
  targets: [ROLLING_OFTEN, ROLLING_NEVER],
  run: async ({ driver, targets, rounds, warmUpMs, measureMs }) => {
    const results = await interleave(targets, rounds, async ({ url }, round) => {
      const stream = `${url}/v1/stream/roll-${round}`;
      await createStream(stream, HEADERS);
      return driver.run({
        urls: [stream],
        method: "POST",
        headers: HEADERS,
        body: "x".repeat(APPEND_BYTES),
        connections: WRITERS,
        warmUpMs,
        measureMs,
      });
    });
    const rows = [...results].map(([{ kind }, of]) => {
      const rates = of.map(({ requests, seconds }) => requests / seconds);
      const p99s = of.map(({ latencyMs }) => latencyMs.p99);
      return { kind, rates, p50: median(of.map(({ latencyMs }) => latencyMs.p50)), p99: median(p99s) };
    });
    const p99Of = (wanted: typeof ROLLING_OFTEN): number => rows.find(({ kind }) => kind === wanted)?.p99 ?? 0;
    return [
      {
        title: `Appends by ${WRITERS} writers while segments roll`,
        about: `Acknowledged appends of ${APPEND_BYTES} bytes; a new stream each round.`,
        columns: ["Target", "Appends/s", "Spread", "p50", "p99"],
        rows: rows.map(({ kind, rates, p50, p99 }) => [
          kind.name,
          formatCount(median(rates)),
          formatSpread(spreadOf(rates)),
          formatMs(p50),
          formatMs(p99),
        ]),
        bars: [
          {
            claim: "p99 of appends without rolling against that with a segment each MiB",
            atLeast: P99_RATIO_MIN,
            measured: p99Of(ROLLING_NEVER) / p99Of(ROLLING_OFTEN),
          },
        ],
      },
    ];
  },
};
