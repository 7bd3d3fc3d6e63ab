import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

import { SkippedTestsReporter } from "./scripts/skipped-tests-reporter.ts";

/** What takes so long hangs; a busy machine must not fail a test that does not. */
const HANGING_MS = 120_000;

export default defineConfig({
  test: {
    retry: 0,
    testTimeout: HANGING_MS,
    hookTimeout: HANGING_MS,
    // Otherwise one core is left free, which of two is half.
    maxWorkers: "100%",
    reporters: process.env.CI ? ["default", new SkippedTestsReporter()] : ["default"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          environment: "node",
          include: ["packages/*/src/**/*.test.ts", "packages/simulator/test/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: ["**/node_modules/**"],
          // No module here has state that another file's tests would see, and those that fake a global give it back.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          // Objects whose rows are all in one database, as on a host of one machine. Property tests make fewer runs.
          name: "shared-database",
          environment: "node",
          include: ["packages/core/src/**/*.test.ts", "packages/simulator/test/**/*.test.ts"],
          env: { DATABASE_FORM: "shared", FC_FRACTION: "0.3" },
          isolate: false,
        },
      },
      {
        extends: true,
        plugins: [
          cloudflareTest({
            main: "./packages/server/test/workers/main.ts",
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: { FAN_OUT_QUEUE_ABOVE: "100", OPEN_TO: "everybody" },
              // Of an example of a module.
              durableObjects: { TALLIES: { className: "TallyDO", useSQLite: true } },
            },
          }),
        ],
        test: {
          name: "workers",
          include: ["packages/server/test/workers/**/*.test.ts"],
          // workerd does not see the environment: the seed and number of runs of the property tests go in here.
          env: { FC_SEED: process.env.FC_SEED ?? "", FC_RUNS: process.env.FC_RUNS ?? "" },
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          environment: "node",
          include: ["packages/e2e/test/**/*.test.ts"],
          // After the other projects. A file has processes of its own, which are busy at one time and wait at another.
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
        },
      },
    ],
  },
});
