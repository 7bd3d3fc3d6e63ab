import type { Reporter, TestModule } from "vitest/node";

/** Tests that may be skipped, by the start of their full name. Each entry says why. */
const ALLOWED: readonly string[] = [
  // Runs when the suite is called with `subscriptions: true`.
  "Reserved subscription APIs",
];

/** Fails the run when a test was skipped: a check that does not run proves nothing. Used in CI. */
export class SkippedTestsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules
      .flatMap((module) => [...module.children.allTests("skipped")])
      .filter((test) => !ALLOWED.some((start) => test.fullName.startsWith(start)));
    if (skipped.length === 0) return;
    console.error(`\n${skipped.length} skipped test(s), none may be skipped in CI:`);
    for (const test of skipped) console.error(`  ${test.module.relativeModuleId} > ${test.fullName}`);
    process.exitCode = 1;
  }
}
