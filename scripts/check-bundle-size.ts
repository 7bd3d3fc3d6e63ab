/** Fails when the bundled Worker outgrows its budget. Start-up time and the upload limit both follow its size. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/**
 * Minified, as it is deployed. Far below the platform's limit (3 MB compressed on the free plan): a warning that something heavy has
 * come in, not a wall. Of 90 KB, projects and tokens are a quarter (half of that is jose: docs/adr/0007-tokens.md),
 * subscriptions with their routes a seventh, and fan-out a tenth.
 */
const BUDGET_KB = 250;
const FOLDER = "dist/worker";

const files = readdirSync(FOLDER).filter((name) => /\.(js|mjs|wasm)$/.test(name));
if (files.length === 0) throw new Error(`No bundle in ${FOLDER}. Run: npm run bundle`);

const sizeKb = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(FOLDER, name))).length, 0) / 1024;
console.log(`Worker bundle: ${sizeKb.toFixed(1)} KB gzip of ${BUDGET_KB} KB`);
if (sizeKb > BUDGET_KB) {
  console.error("Over budget. Remove weight, or raise BUDGET_KB in scripts/check-bundle-size.ts and say why.");
  process.exitCode = 1;
}
