/** The table of most scenarios: how much each target did per second, and how soon it answered. */
import { median, spreadOf } from "../statistics.ts";
import type { TargetKind } from "../targets/target.ts";
import { formatCount, formatMs, formatSpread } from "../units.ts";
import { CPU_COLUMN, formatCpu, type MeasuredLoad } from "./measured-load.ts";
import type { Bar, RunningTarget, Section } from "./scenario.ts";

export interface LoadSection {
  readonly title: string;
  readonly about: string;
  /** What is counted, such as "appends". */
  readonly unit: string;
  readonly results: ReadonlyMap<RunningTarget, readonly MeasuredLoad[]>;
  /** How many of them a result contains; default: its requests. */
  readonly amount?: (result: MeasuredLoad) => number;
  readonly against: TargetKind;
  /** Rows that do not take part in the comparison. */
  readonly unplotted?: TargetKind;
  readonly bars?: (rateOf: (kind: TargetKind) => number) => readonly Bar[];
}

export function loadSection(section: LoadSection): Section {
  const { title, about, unit, results, amount = ({ requests }) => requests, against, unplotted, bars } = section;
  const rates = new Map([...results].map(([{ kind }, of]) => [kind, of.map((each) => amount(each) / each.seconds)]));
  const rateOf = (kind: TargetKind): number => median(rates.get(kind) ?? []);
  return {
    title,
    about,
    columns: ["Target", `${unit.slice(0, 1).toUpperCase()}${unit.slice(1)}/s`, "Spread", "p50", "p99", CPU_COLUMN],
    rows: [...results].map(([{ kind }, of]) => [
      kind.name,
      formatCount(rateOf(kind)),
      formatSpread(spreadOf(rates.get(kind) ?? [])),
      formatMs(median(of.map(({ latencyMs }) => latencyMs.p50))),
      formatMs(median(of.map(({ latencyMs }) => latencyMs.p99))),
      formatCpu(of),
    ]),
    bars: bars?.(rateOf) ?? [],
    figures: {
      unit: `${unit}/s`,
      better: "more",
      values: new Map([...rates].flatMap(([kind, of]) => (kind === unplotted ? [] : [[kind.name, of]]))),
      against: against.name,
    },
  };
}
