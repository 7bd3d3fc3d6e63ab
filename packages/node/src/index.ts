/** The Durable Streams server in one Node.js process. */

export type { ConfigValue } from "./config/resolve.ts";
export { loadConfig, type Config, type ConfigLoadOptions } from "./config/load-config.ts";
export { createServer, type RunningServer, type ServerOptions } from "./create-server.ts";
export { STORAGE_MODES, type StorageMode, type StorageOptions } from "./storage/modes/options.ts";
export { makeDirectory } from "./storage/folders.ts";
export { STREAMS_COUNTED_MAX, type Recovery } from "./storage/recovery.ts";
export { explainOpenError } from "./storage/open-error.ts";
export { StorageError } from "./storage/storage-error.ts";
