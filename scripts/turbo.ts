/**
 * Runs turbo with the pnpm of this workspace on the PATH, which turbo needs and plain npm does not give it:
 * `node scripts/turbo.ts run build`.
 */
import { spawnSync } from "node:child_process";

import { pnpmCommand } from "./pnpm.ts";

const turbo = `${pnpmCommand().join(" ")} exec turbo ${process.argv.slice(2).join(" ")}`;

process.exitCode = spawnSync(turbo, { shell: true, stdio: "inherit" }).status ?? 1;
