/** The effect of hostile senders on the appends and reads of others on the same stream. */
import { interleave } from "../interleave.ts";
import { whileHostile, type HostileJob } from "../load/hostile.ts";
import type { LoadResult } from "../load/job.ts";
import { median } from "../statistics.ts";
import { newToken, NODE_WITH_TOKENS } from "../targets/index.ts";
import { formatMs, formatRatio } from "../units.ts";
import type { Scenario, Section } from "./scenario.ts";
import { createStream } from "./streams.ts";

const CONNECTIONS = 4;
const MESSAGE = "x".repeat(100);
/** This scenario has many measurements, so each one takes only this part of the usual time. */
const PART = 1 / 3;

type Senders = Pick<HostileJob, "kind" | "senders">;
type Work = "Appends" | "Reads";

/** Only two senders send 100 MB bodies, because each of them occupies a whole processor of this machine. */
const SENDERS: readonly (Senders | undefined)[] = [
  undefined,
  { kind: "slow bodies", senders: 200 },
  { kind: "ordinary appends", senders: 8 },
  { kind: "16 KB of headers", senders: 8 },
  { kind: "100 MB bodies", senders: 2 },
];

export const HOSTILE: Scenario = {
  summary: "appends and reads next to hostile senders",
  budget: { full: 30, preparation: 5, measurements: 10 * PART },
  targets: [NODE_WITH_TOKENS],
  run: async ({ driver, targets: [target], rounds, ...times }) => {
    if (target === undefined) throw new Error("The target was not started.");
    const headers = { "Content-Type": "text/plain", Authorization: `Bearer ${newToken("manage")}` };
    const [warmUpMs, measureMs] = [times.warmUpMs * PART, times.measureMs * PART];
    const variants = SENDERS.flatMap((senders) => (["Appends", "Reads"] as const).map((work) => ({ senders, work })));
    const results = await interleave(variants, rounds, async ({ senders, work }, round) => {
      const url = `${target.url}/v1/stream/hostile-${variants.findIndex((each) => each.senders === senders)}-${round}`;
      await createStream(url, headers, MESSAGE);
      const job = senders && { ...senders, url, headers };
      const shared = { headers, connections: CONNECTIONS, warmUpMs, measureMs };
      const read = { ...shared, urls: [`${url}?offset=-1`], method: "GET", body: "" } as const;
      const append = { ...shared, urls: [url], method: "POST", body: MESSAGE } as const;
      return whileHostile(job, () => driver.run(work === "Reads" ? read : append));
    });
    return [sectionOf(results)];
  },
};

function sectionOf(
  results: ReadonlyMap<{ readonly senders: Senders | undefined; readonly work: Work }, readonly LoadResult[]>,
): Section {
  const rows = [...results].map(([{ senders, work }, of]) => ({
    senders,
    work,
    p50: median(of.map(({ latencyMs }) => latencyMs.p50)),
    p99: median(of.map(({ latencyMs }) => latencyMs.p99)),
  }));
  return {
    title: "Appends and reads next to hostile senders on the same stream",
    about: [
      `${CONNECTIONS} connections append, or read, ${MESSAGE.length} bytes at a time, to a new stream in each round. Each kind of load is measured`,
      "for a third of the time. The hostile senders have a valid token and run on the same machine. Either 200 of them send",
      "bodies that never end, one byte per 100 ms; or 8 send requests with 16 KB of headers; or 2 send bodies of 100 MB in",
      "chunks, the latter two as fast as the server accepts them and each on a new connection. The 8 ordinary senders are",
      "for comparison: they send as often, and share the processors as well.",
    ].join("\n"),
    columns: ["Next to", "Requests", "p50", "p99", "× p50 without", "× p99 without"],
    rows: rows.map(({ senders, work, p50, p99 }) => {
      const calm = rows.find((row) => row.senders === undefined && row.work === work);
      return [
        senders === undefined ? "nobody" : `${senders.senders} × ${senders.kind}`,
        work,
        formatMs(p50),
        formatMs(p99),
        formatRatio(p50 / (calm?.p50 ?? p50)),
        formatRatio(p99 / (calm?.p99 ?? p99)),
      ];
    }),
    bars: [],
  };
}
