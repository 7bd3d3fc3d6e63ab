/** The part of the build that is not TypeScript: bundles the Worker, and copies the shell script beside the launcher. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildBundle } from "../src/bundle.ts";
import { PREBUILT_PATH } from "../src/prebuilt.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const GUARD = fileURLToPath(new URL("../src/workerd-guard.sh", import.meta.url));

mkdirSync(dirname(PREBUILT_PATH), { recursive: true });
writeFileSync(PREBUILT_PATH, JSON.stringify(await buildBundle(ROOT)));
copyFileSync(GUARD, join(dirname(PREBUILT_PATH), "workerd-guard.sh"));
