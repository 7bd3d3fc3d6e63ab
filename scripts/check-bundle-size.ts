/**
 * Says what the bundled Worker weighs, and fails when it outgrows its budget: start-up time and the upload limit follow its
 * size.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { formatWeights, moduleSources, weighParts, type Metafile } from "./bundle-report.ts";

/**
 * Minified, as it is deployed. Far below the platform's limit (3 MB compressed on the free plan): a warning that something
 * heavy has come in, not a wall.
 */
const BUDGET_KB = 250;
const FOLDER = "dist/worker";

const files = readdirSync(FOLDER).filter((name) => /\.(js|mjs|wasm)$/.test(name));
if (files.length === 0) throw new Error(`No bundle in ${FOLDER}. Run: npm run bundle`);

const metafile = JSON.parse(readFileSync(join(FOLDER, "bundle-meta.json"), "utf8")) as Metafile;
const sizeKb = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(FOLDER, name))).length, 0) / 1024;
console.log(`\nMinified, before compression:\n${formatWeights(weighParts(metafile))}`);
console.log(`\nWorker bundle: ${sizeKb.toFixed(1)} KB gzip of ${BUDGET_KB} KB`);
const needless = moduleSources(metafile);
if (needless.length > 0) {
  console.error(`The Worker has no modules, but its bundle contains what serves them:\n${needless.join("\n")}`);
  process.exitCode = 1;
}
if (sizeKb > BUDGET_KB) {
  console.error("Over budget. Remove weight, or raise BUDGET_KB in scripts/check-bundle-size.ts and say why.");
  process.exitCode = 1;
}
