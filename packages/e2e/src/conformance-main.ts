/**
 * `npm run conformance -- --engine node|workerd`: the official suite three times in a row; a test that passes only sometimes
 * is a defect.
 */
import { parseArgs } from "node:util";

import { ENGINE_VARIABLE } from "@durable-streams-cloudflare/testkit/engine";

import { runConformanceSuite } from "./conformance-suite.ts";
import { judge } from "./conformance-verdict.ts";

const RUNS = 3;

const { values } = parseArgs({ options: { engine: { type: "string", default: "node" } } });
process.env[ENGINE_VARIABLE] = values.engine;

for (let run = 1; run <= RUNS; run += 1) {
  const { passed, faults } = judge(await runConformanceSuite());
  console.log(`run ${run} of ${RUNS}: ${passed} passed, ${faults.length} failed`);
  for (const fault of faults) console.log(`    ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
