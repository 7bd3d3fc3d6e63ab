/** The Durable Streams server in one Node.js process. */

export { createServer, type RunningServer, type ServerOptions } from "./create-server.ts";
export { STORAGE_MODES, type StorageMode, type StorageOptions } from "./storage/modes/options.ts";
export { StorageError } from "./storage/storage-error.ts";
