/** `npm start` in the repository: runs the Worker built from the sources. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { loadBundle } from "./bundle.ts";
import { launch } from "./launch.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

await launch(process.argv.slice(2), {
  name: "npm start --",
  dataDir: join(ROOT, ".data"),
  loadWorker: () => loadBundle(ROOT),
});
