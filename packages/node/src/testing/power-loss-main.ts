/** `npm run power-loss -- --seeds N`: cuts the power N times. */

import { parseArgs } from "node:util";

import { losePower } from "./power-loss.ts";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "1000" } } });
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);
let checkpoints = 0;
let acknowledged = 0;
const bad: number[] = [];
for (const seed of seeds) {
  const run = losePower(seed);
  checkpoints += run.checkpoints;
  acknowledged += run.acknowledged;
  if (run.faults.length === 0) continue;
  bad.push(seed);
  process.stdout.write(`seed ${seed}: ${run.faults.join("; ")}\n`);
}
const control = seeds.slice(0, 100).filter((seed) => losePower(seed, false).faults.length > 0).length;
process.stdout.write(
  `${seeds.length} power cuts, ${acknowledged} commits acknowledged, ${checkpoints} checkpoints: ${bad.length} bad.\n` +
    `Without syncs ${control} of ${Math.min(100, seeds.length)} are bad, as they must be.\n`,
);
process.exitCode = bad.length > 0 || control === 0 ? 1 : 0;
