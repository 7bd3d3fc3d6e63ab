import type { LoadDriver } from "../load/driver.ts";
import type { TargetKind } from "../targets/target.ts";

/** A running target. */
export interface RunningTarget {
  readonly kind: TargetKind;
  readonly url: string;
  /** The URL before a stream's name. */
  readonly streams: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** The directory of its data. */
  readonly dataDir: string;
  /** Its processes; empty if it runs elsewhere. */
  pids(): readonly number[];
}

export interface ScenarioContext {
  readonly driver: LoadDriver;
  readonly targets: readonly RunningTarget[];
  readonly rounds: number;
  /** Sessions that follow one stream. */
  readonly followers: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Whether everything must take about a minute: less is prepared, and the largest numbers are left out. */
  readonly isQuick: boolean;
}

/** A table of the report. */
export interface Section {
  readonly title: string;
  /** How it was measured. */
  readonly about: string;
  /** The heading of the rows' names, then those of their figures. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** The table's main column as numbers, for the plot, the JSON and the ratios. */
  readonly figures?: Figures;
}

export interface Figures {
  readonly unit: string;
  readonly better: "more" | "less";
  /** Every round's value by the name of the row. A row without values is not plotted. */
  readonly values: ReadonlyMap<string, readonly number[]>;
  /** The row that the others are compared with, unless the user chooses another one. */
  readonly against: string;
}

/** A goal: a ratio between two targets, unless it has a unit. Exactly one of the bounds is there. */
export interface Bar {
  readonly claim: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly measured: number;
  /** By default `×`. */
  readonly unit?: string;
}

/** How long a scenario may take, in seconds. */
export interface Budget {
  /** For `npm run bench`; absent if the scenario runs only when named. */
  readonly full?: number;
  /** For `npm run bench -- --quick`; absent if the scenario is left out there. */
  readonly quick?: number;
  /** The part that starting the targets and filling streams takes. */
  readonly preparation: number;
  /** The same with `--quick`, if that is less. */
  readonly quickPreparation?: number;
  /** How many measurements of the usual length each target needs per round. */
  readonly measurements: number;
  /** The same with `--quick`, if that is less. */
  readonly quickMeasurements?: number;
}

export interface Scenario {
  /** The description in `--help`. */
  readonly summary: string;
  readonly targets: readonly TargetKind[];
  /** Whether the scenario uses only the protocol, so that it can measure any server. */
  readonly isForAnyServer?: boolean;
  readonly budget: Budget;
  run(context: ScenarioContext): Promise<readonly Section[]>;
}
