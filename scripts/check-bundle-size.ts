/** Fails when the bundled Worker outgrows its budget. Start-up time and the upload limit both follow its size. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/**
 * Not minified. Projects and tokens are a quarter of it, half of that jose: see docs/adr/0007-tokens.md. Estuaries, which
 * are two more kinds of object and a queue, are a tenth; subscriptions of the protocol, with their routes and their part of the directory, a
 * seventh.
 */
const BUDGET_KB = 140;
const FOLDER = "dist/worker";

const files = readdirSync(FOLDER).filter((name) => /\.(js|mjs|wasm)$/.test(name));
if (files.length === 0) throw new Error(`No bundle in ${FOLDER}. Run: npm run bundle`);

const sizeKb = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(FOLDER, name))).length, 0) / 1024;
console.log(`Worker bundle: ${sizeKb.toFixed(1)} KB gzip of ${BUDGET_KB} KB`);
if (sizeKb > BUDGET_KB) {
  console.error("Over budget. Remove weight, or raise BUDGET_KB in scripts/check-bundle-size.ts and say why.");
  process.exitCode = 1;
}
