/** The cost of authorisation for a read: the same read without tokens, and with each kind of credential. */
import { interleave } from "../interleave.ts";
import type { LoadResult } from "../load/job.ts";
import { median, spreadOf } from "../statistics.ts";
import { newToken, NODE, NODE_WITH_TOKENS } from "../targets/index.ts";
import type { TargetKind } from "../targets/target.ts";
import { formatCount, formatMs, formatShare, formatSpread } from "../units.ts";
import type { Scenario, ScenarioContext, Section } from "./scenario.ts";
import { createStream, postJson } from "./streams.ts";

const STREAM = "auth";
const BYTES = 1_000;
/** This scenario has many measurements, so each one takes only this part of the usual time. */
const PART = 1 / 3;

/** One way to read. */
interface Reader {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export const AUTH: Scenario = {
  summary: "what a token adds to the time of a read",
  budget: { full: 25, preparation: 5, measurements: 4 * PART },
  targets: [NODE, NODE_WITH_TOKENS],
  run: async (context) => {
    const readers = await prepare(context);
    return [await measure(context, readers, 1), await measure(context, readers, 16)];
  },
};

async function prepare({ targets }: ScenarioContext): Promise<readonly Reader[]> {
  const urlOf = (wanted: TargetKind): string => targets.find(({ kind }) => kind === wanted)?.url ?? "";
  const [open, closed] = [urlOf(NODE), urlOf(NODE_WITH_TOKENS)];
  const manager = { Authorization: `Bearer ${newToken("manage")}` };
  const path = `/v1/stream/${STREAM}`;
  const body = "x".repeat(BYTES);
  await createStream(open + path, {}, body);
  await createStream(closed + path, manager, body);
  const projects = `${closed}/v1/projects/default`;
  const { token } = await postJson(`${projects}/read-urls`, manager, { stream: STREAM, expiresInSeconds: 86_400 });
  const { key } = await postJson(`${projects}/reader-keys`, manager, { stream: STREAM });
  const query = "?offset=-1";
  return [
    { name: "AUTH_MODE=none", url: open + path + query, headers: {} },
    { name: "token", url: closed + path + query, headers: { Authorization: `Bearer ${newToken("read")}` } },
    { name: "signed read URL", url: `${closed}${path}${query}&token=${token}`, headers: {} },
    { name: "reader key", url: `${closed}${path}${query}&key=${key}`, headers: {} },
  ];
}

async function measure(context: ScenarioContext, readers: readonly Reader[], connections: number): Promise<Section> {
  const { driver, rounds } = context;
  const warmUpMs = context.warmUpMs * PART;
  const measureMs = context.measureMs * PART;
  const results = await interleave(readers, rounds, ({ url, headers }) =>
    driver.run({ urls: [url], method: "GET", headers, body: "", connections, warmUpMs, measureMs }),
  );
  const [free] = [...results.values()].map(timeOf);
  return {
    title: `Reads with and without tokens, by ${connections === 1 ? "1 reader" : `${connections} readers`}`,
    about: [
      `Each reader reads a stream of ${BYTES} bytes from its beginning. Each credential is measured for a third of the time.`,
      "The share of the time is the part of a read's p50 that the credential adds.",
    ].join("\n"),
    columns: ["Credential", "p50", "p99", "Reads/s", "Spread", "Share of the time"],
    rows: [...results].map(([{ name }, of]) => {
      const rates = of.map(({ requests, seconds }) => requests / seconds);
      return [
        name,
        formatMs(timeOf(of)),
        formatMs(median(of.map(({ latencyMs }) => latencyMs.p99))),
        formatCount(median(rates)),
        formatSpread(spreadOf(rates)),
        formatShare(1 - (free ?? 0) / timeOf(of)),
      ];
    }),
    bars: [],
  };
}

function timeOf(results: readonly LoadResult[]): number {
  return median(results.map(({ latencyMs }) => latencyMs.p50));
}
