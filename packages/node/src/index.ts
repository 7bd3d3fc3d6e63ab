/** The Durable Streams server in one Node.js process. */

export { createServer, type RunningServer, type ServerOptions } from "./create-server.ts";
export type { StorageOptions } from "./compose/engine.ts";
export type { StorageMode } from "./storage/store.ts";
