import type { LoadDriver } from "../load/driver.ts";
import type { TargetKind } from "../targets/target.ts";

/** A target that runs. */
export interface RunningTarget {
  readonly kind: TargetKind;
  readonly url: string;
  /** Where its data lies. */
  readonly dataDir: string;
}

export interface ScenarioContext {
  readonly driver: LoadDriver;
  readonly targets: readonly RunningTarget[];
  readonly rounds: number;
  /** Sessions that follow one stream. */
  readonly followers: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** One table of the report. */
export interface Section {
  readonly title: string;
  /** How it was measured. */
  readonly about: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
}

/** What must hold between two targets. */
export interface Bar {
  readonly claim: string;
  readonly atLeast: number;
  readonly measured: number;
}

export interface Scenario {
  readonly targets: readonly TargetKind[];
  run(context: ScenarioContext): Promise<readonly Section[]>;
}
