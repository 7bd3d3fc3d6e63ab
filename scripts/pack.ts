/**
 * Builds all that is published, and packs it into a folder as npm's registry would get it: `npm run pack -- DIR`. In a workflow
 * the packages also name the repository.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

import { packPackages } from "../packages/e2e/src/packed-packages.ts";

const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error("✗ Where to? Fix: npm run pack -- DIR");
  process.exit(2);
}
// npm runs scripts in the root of the repository; the folder is relative to where the user is.
const directory = resolve(process.env["INIT_CWD"] ?? ".", target);
mkdirSync(directory, { recursive: true });
const { status } = spawnSync(process.execPath, ["--run", "build"], { stdio: ["ignore", 2, 2] });
if (status !== 0) process.exit(1);
await import("./name-repository.ts");
for (const { tarball } of packPackages(directory)) console.log(tarball);
