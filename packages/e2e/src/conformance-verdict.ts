/** What a run of the official suite must look like: everything passes, except what needs `subscriptions: true`. */
import type { SuiteTest } from "./conformance-suite.ts";

/** The only tests that may be skipped: this server has no subscriptions yet. */
const SKIPPED_GROUP = "Reserved subscription APIs";

export interface Verdict {
  readonly passed: number;
  /** Every test that failed or was skipped without leave, and why. */
  readonly faults: readonly string[];
}

export function judge(tests: readonly SuiteTest[]): Verdict {
  const faults = tests
    .filter(({ status, name }) => status === "failed" || (status === "skipped" && !name.startsWith(SKIPPED_GROUP)))
    .map(({ status, name, message }) => `${name}: ${status} ${message.split("\n", 1)[0] ?? ""}`);
  return { passed: tests.filter(({ status }) => status === "passed").length, faults };
}
