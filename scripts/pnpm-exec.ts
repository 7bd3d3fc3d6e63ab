/**
 * Runs a tool with the pnpm of this workspace on the PATH, which turbo and changesets need and plain npm does not give them:
 * `node scripts/pnpm-exec.ts turbo run build`.
 */
import { spawnSync } from "node:child_process";

import { pnpmCommand } from "./pnpm.ts";

const command = [...pnpmCommand(), "exec", ...process.argv.slice(2)].join(" ");

process.exitCode = spawnSync(command, { shell: true, stdio: "inherit" }).status ?? 1;
