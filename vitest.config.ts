import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

import { ABOUT_ONE_ENGINE, ON_WORKERD_IN_NPM_TEST } from "./packages/e2e/engines.ts";
import { LongestFirst } from "./scripts/longest-first.ts";
import { SkippedTestsReporter } from "./scripts/skipped-tests-reporter.ts";

type Engine = keyof typeof ABOUT_ONE_ENGINE;

/** What takes so long hangs; a busy machine must not fail a test that does not. */
const HANGING_MS = 120_000;

export default defineConfig({
  test: {
    retry: 0,
    testTimeout: HANGING_MS,
    hookTimeout: HANGING_MS,
    // Otherwise one core is left free, which of two is half.
    maxWorkers: "100%",
    sequence: { sequencer: LongestFirst },
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
              bindings: { FAN_OUT_QUEUE_ABOVE: "100", OPEN_TO: "everybody", TALLY_MAX: "5" },
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
      // On the engine that DS_ENGINE names, which is node unless it is set.
      endToEnd("e2e", process.env["DS_ENGINE"] === "workerd" ? "workerd" : "node", ["**/*.test.ts"]),
      // On workerd: what `npm test` runs of it, and the rest.
      endToEnd("e2e-workerd", "workerd", ON_WORKERD_IN_NPM_TEST),
      endToEnd("e2e-workerd-rest", "workerd", ["**/*.test.ts"], ON_WORKERD_IN_NPM_TEST),
    ],
  },
});

/** @param include, without: files below `packages/e2e/test`. */
function endToEnd(name: string, engine: Engine, include: readonly string[], without: readonly string[] = []) {
  const other: Engine = engine === "node" ? "workerd" : "node";
  const below = (file: string): string => `packages/e2e/test/${file}`;
  return {
    extends: true as const,
    test: {
      name,
      environment: "node" as const,
      include: include.map(below),
      exclude: [...Object.keys(ABOUT_ONE_ENGINE[other]), ...without].map(below),
      env: { DS_ENGINE: engine },
      // After the other projects. A file has processes of its own, which are busy at one time and wait at another: three
      // files leave a quarter of two cores idle.
      sequence: { groupOrder: 1 },
      maxWorkers: 4,
    },
  };
}
