import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { Failure } from "./failure.ts";
import type { WorkerBundle } from "./worker-bundle.ts";

/** Where the package's build puts the bundled Worker. The path is the same seen from `src` and from `dist`. */
export const PREBUILT_PATH = fileURLToPath(new URL("../dist/worker.json", import.meta.url));

/** Loads the Worker that was bundled when this package was built. */
export async function loadPrebuilt(): Promise<WorkerBundle> {
  try {
    return JSON.parse(readFileSync(PREBUILT_PATH, "utf8")) as WorkerBundle;
  } catch (error) {
    throw new Failure(
      `${PREBUILT_PATH} cannot be read: ${String(error)}`,
      "install the package again; in the repository, run npm run build",
    );
  }
}
