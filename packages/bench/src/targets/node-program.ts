/** The Node.js host as a library, with everything in memory. */
import { createServer } from "@durable-streams-cloudflare/node";

const { url } = await createServer({
  storage: { mode: "memory" },
  host: "127.0.0.1",
  port: 0,
  settings: { TENANCY: "single", AUTH_MODE: "none" },
});
process.send?.(url);
