/** What a run of the official suite must look like: everything passes. */
import type { SuiteTest } from "./conformance-suite.ts";

export interface Verdict {
  readonly passed: number;
  /** Every test that failed or was skipped, and why. */
  readonly faults: readonly string[];
}

export function judge(tests: readonly SuiteTest[]): Verdict {
  const faults = tests
    .filter(({ status }) => status !== "passed")
    .map(({ status, name, message }) => `${name}: ${status} ${message.split("\n", 1)[0] ?? ""}`);
  return { passed: tests.length - faults.length, faults };
}
