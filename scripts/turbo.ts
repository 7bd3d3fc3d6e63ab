/**
 * Runs turbo with the pnpm of this workspace on the PATH, which turbo needs and plain npm does not give it:
 * `node scripts/turbo.ts run build`.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const { packageManager } = JSON.parse(readFileSync("package.json", "utf8")) as { packageManager: string };
const turbo = `npx --yes ${packageManager} exec turbo ${process.argv.slice(2).join(" ")}`;

process.exitCode = spawnSync(turbo, { shell: true, stdio: "inherit" }).status ?? 1;
