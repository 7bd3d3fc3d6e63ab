/** `npm run simulate`: see `--help`. */
import { randomInt } from "node:crypto";

import { SCENARIOS } from "../scenarios/index.ts";
import { helpText, parseArguments, UsageError } from "./arguments.ts";
import { simulate } from "./simulate.ts";

const FAILED = 1;
const USAGE = 2;

try {
  const request = parseArguments(process.argv.slice(2), SCENARIOS, () => randomInt(2 ** 31));
  if (request === undefined) process.stdout.write(`${helpText(SCENARIOS)}\n`);
  else {
    const isGood = await simulate(request, {
      print: (line) => process.stdout.write(`${line}\n`),
      progress: (line) => process.stderr.write(`${line}\n`),
      now: () => performance.now(),
    });
    process.exitCode = isGood ? 0 : FAILED;
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\nSee npm run simulate -- --help\n`);
  process.exitCode = USAGE;
}
