import type { LoadDriver } from "../load/driver.ts";
import type { TargetKind } from "../targets/target.ts";

/** A target that runs. */
export interface RunningTarget {
  readonly kind: TargetKind;
  readonly url: string;
  /** What a stream's name is put behind. */
  readonly streams: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where its data lies. */
  readonly dataDir: string;
  /** Its processes; none when it runs elsewhere. */
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
  /** Whether there is about a minute for everything: less is prepared, and the largest numbers are left out. */
  readonly isQuick: boolean;
}

/** One table of the report. */
export interface Section {
  readonly title: string;
  /** How it was measured. */
  readonly about: string;
  /** What the rows are, and then their figures. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** The table's main column as numbers: for the plot, the JSON and the ratios. */
  readonly figures?: Figures;
}

export interface Figures {
  readonly unit: string;
  readonly better: "more" | "less";
  /** Every round's value, by the name that the row begins with. A row without is not plotted. */
  readonly values: ReadonlyMap<string, readonly number[]>;
  /** Whom the others are compared with, unless the user says otherwise. */
  readonly against: string;
}

/** What must hold between two targets. */
export interface Bar {
  readonly claim: string;
  readonly atLeast: number;
  readonly measured: number;
}

/** How long a scenario may take, in seconds. */
export interface Budget {
  /** In `npm run bench`; absent when it must be named to run. */
  readonly full?: number;
  /** In `npm run bench -- --quick`; absent when it is left out there. */
  readonly quick?: number;
  /** What starting the targets and filling streams takes of it. */
  readonly preparation: number;
  /** The same with `--quick`, if it is less. */
  readonly quickPreparation?: number;
  /** How many measurements of the usual length each target takes in a round. */
  readonly measurements: number;
}

export interface Scenario {
  /** For `--help`. */
  readonly summary: string;
  readonly targets: readonly TargetKind[];
  /** It speaks nothing but the protocol, so any server may be measured. */
  readonly isForAnyServer?: boolean;
  readonly budget: Budget;
  run(context: ScenarioContext): Promise<readonly Section[]>;
}
