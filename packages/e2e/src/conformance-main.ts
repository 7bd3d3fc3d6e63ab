/** `npm run conformance`: the official suite three times in a row; a test that passes only sometimes is a defect. */
import { runConformanceSuite } from "./conformance-suite.ts";
import { judge } from "./conformance-verdict.ts";

const RUNS = 3;

for (let run = 1; run <= RUNS; run += 1) {
  const { passed, faults } = judge(await runConformanceSuite());
  console.log(`run ${run} of ${RUNS}: ${passed} passed, ${faults.length} failed`);
  for (const fault of faults) console.log(`    ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
