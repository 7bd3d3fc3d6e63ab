/** A server in a process of its own, which a test kills: `mode-server-main.ts MODE DIRECTORY` prints its URL. */

import { createServer } from "../create-server.ts";
import type { StorageMode } from "../storage/modes/options.ts";

const [mode, dataDir] = process.argv.slice(2);
const server = await createServer({
  storage: { mode: mode as StorageMode, dataDir },
  host: "127.0.0.1",
  port: 0,
  settings: { AUTH_MODE: "none", TENANCY: "single", LOG_LEVEL: "off", SEGMENT_BYTES: "65536", SEGMENT_BYTES_MIN: "1" },
});
process.stdout.write(`${server.url}\n`);
