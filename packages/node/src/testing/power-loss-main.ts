/** `npm run power-loss -- --seeds N`: cuts the power N times in each storage mode with files. */

import { parseArgs } from "node:util";

import { losePower, type Syncs } from "./power-loss.ts";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "1000" } } });
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);

interface Sum {
  readonly bad: number;
  readonly lossy: number;
}

function cutAll(syncs: Syncs, of: readonly number[], isShown: boolean): Sum {
  let checkpoints = 0;
  let acknowledged = 0;
  let lossy = 0;
  let bad = 0;
  for (const seed of of) {
    const run = losePower(seed, syncs);
    checkpoints += run.checkpoints;
    acknowledged += run.acknowledged;
    if (run.lost.length > 0) lossy += 1;
    if (run.faults.length === 0) continue;
    bad += 1;
    if (isShown) process.stdout.write(`${syncs}, seed ${seed}: ${run.faults.join("; ")}\n`);
  }
  process.stdout.write(
    `${syncs}: ${of.length} power cuts, ${acknowledged} commits acknowledged, ${checkpoints} checkpoints: ${bad} databases ` +
      `damaged, ${lossy} without something that was acknowledged.\n`,
  );
  return { bad, lossy };
}

const durable = (["file-durable", "acid"] as const).map((syncs) => cutAll(syncs, seeds, true));
const fast = cutAll("file-fast", seeds, true);
// These two show that the model finds what it looks for.
const control = cutAll("never", seeds.slice(0, 100), false);
const isGood = durable.every(({ bad, lossy }) => bad === 0 && lossy === 0) && fast.bad === 0;
process.exitCode = isGood && fast.lossy > 0 && control.bad > 0 ? 0 : 1;
