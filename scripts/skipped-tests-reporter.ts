import type { Reporter, TestModule } from "vitest/node";

/**
 * Fails the run when a test was skipped: a check that does not run proves nothing. Used in CI. The official suite runs
 * in a vitest of its own; `packages/e2e/src/known-failing.ts` says which of its tests may be skipped.
 */
export class SkippedTestsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]);
    if (skipped.length === 0) return;
    console.error(`\n${skipped.length} skipped test(s), none may be skipped in CI:`);
    for (const test of skipped) console.error(`  ${test.module.relativeModuleId} > ${test.fullName}`);
    process.exitCode = 1;
  }
}
