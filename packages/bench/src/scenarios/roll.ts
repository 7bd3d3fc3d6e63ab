/** The effect of moving segments to R2 on appends at the same time. */
import { interleave } from "../interleave.ts";
import type { LoadResult } from "../load/job.ts";
import { median, spreadOf } from "../statistics.ts";
import { SEGMENT_BYTES_OFTEN, WORKERD, WORKERD_HOT, WORKERD_ROLLING_OFTEN } from "../targets/index.ts";
import type { TargetKind } from "../targets/target.ts";
import { formatCount, formatMs, formatSpread } from "../units.ts";
import type { Bar, Scenario, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const HEADERS = { "Content-Type": "application/octet-stream" };
const WRITERS = 16;
const APPEND_BYTES = 1_000;
/** The slowest 1 % of appends must still be at least this fraction as fast. */
const P99_RATIO_MIN = 0.5;

/** The initial size of a stream: as much as a segment, so that the first one is moved to R2 during the measurement. */
const FIRST_BYTES = new Map([
  [WORKERD_ROLLING_OFTEN, SEGMENT_BYTES_OFTEN],
  [WORKERD, 8 * 1024 * 1024],
]);

export const ROLL: Scenario = {
  summary: "appends while segments move to R2",
  budget: { full: 30, preparation: 5, measurements: 1 },
  targets: [WORKERD_ROLLING_OFTEN, WORKERD, WORKERD_HOT],
  run: async ({ driver, targets, rounds, warmUpMs, measureMs }) => {
    const results = await interleave(targets, rounds, async ({ kind, url }, round) => {
      const stream = `${url}/v1/stream/roll-${round}`;
      await createStream(stream, HEADERS, "x".repeat(FIRST_BYTES.get(kind) ?? 0));
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
    return [sectionOf(new Map([...results].map(([{ kind }, of]) => [kind, of])))];
  },
};

function sectionOf(results: ReadonlyMap<TargetKind, readonly LoadResult[]>): Section {
  return {
    title: `Appends by ${WRITERS} writers while segments roll`,
    about: [
      `Acknowledged appends of ${APPEND_BYTES} bytes to a new stream in each round. Where segments roll, the stream begins with enough data`,
      "for one segment. That segment moves to (simulated) R2 a second later, and so does each further segment as soon as there",
      "is enough data for it: on the same disk, by the same thread. Segments have 8 MiB unless stated otherwise.",
    ].join("\n"),
    columns: ["Target", "Appends", "Appends/s", "Spread", "p50", "p99"],
    rows: [...results].map(([kind, of]) => {
      const rates = of.map(({ requests, seconds }) => requests / seconds);
      return [
        kind.name,
        formatCount(of.reduce((sum, { requests }) => sum + requests, 0)),
        formatCount(median(rates)),
        formatSpread(spreadOf(rates)),
        formatMs(median(of.map(({ latencyMs }) => latencyMs.p50))),
        formatMs(median(of.map(({ latencyMs }) => latencyMs.p99))),
      ];
    }),
    bars: [
      barOf(results, WORKERD_ROLLING_OFTEN, "with segments of 1 MiB"),
      barOf(results, WORKERD, "with segments of 8 MiB, the default"),
    ],
  };
}

/** Each round is compared with itself, because other load on the machine differs between rounds. */
function barOf(results: ReadonlyMap<TargetKind, readonly LoadResult[]>, kind: TargetKind, name: string): Bar {
  const never = results.get(WORKERD_HOT) ?? [];
  const ratios = (results.get(kind) ?? []).map(({ latencyMs: { p99 } }, round) => {
    return (never[round]?.latencyMs.p99 ?? 0) / p99;
  });
  return {
    claim: `p99 of appends without rolling against that ${name}`,
    atLeast: P99_RATIO_MIN,
    measured: median(ratios),
  };
}
