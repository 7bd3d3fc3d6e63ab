/** The Durable Streams server in one Node.js process. */

export type { ConfigValue } from "./config/resolve.ts";
export { loadConfig, type Config, type ConfigLoadOptions } from "./config/load-config.ts";
export { createServer, type RunningServer, type ServerOptions } from "./create-server.ts";
export { STORAGE_MODES, type StorageMode, type StorageOptions } from "./storage/modes/options.ts";
export { makeDirectory } from "./storage/folders.ts";
export { STREAMS_COUNTED_MAX, type Recovery } from "./storage/recovery.ts";
export { explainOpenError } from "./storage/open-error.ts";
export type { TlsOptions } from "./http/tls/certificate-files.ts";
export type { S3Options } from "./storage/segments/s3/s3-options.ts";
export type { Sampler, TelemetryOptions } from "./telemetry/options.ts";
export { TelemetryError } from "./telemetry/telemetry-error.ts";
export { StorageError } from "./storage/storage-error.ts";
export {
  createHandler,
  createHandlerWithReady,
  type Handler,
  type HandlerOptions,
  type HandlerWithReady,
} from "./create-handler.ts";
export type { Metric } from "@durable-streams-cloudflare/http/metrics/metric";
export { ModuleError } from "@durable-streams-cloudflare/http/modules/module-error";
export type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
export { ConfigError } from "@durable-streams-cloudflare/core/config";
export type {
  Authorize,
  AuthorizeInput,
  Granted,
  Scope,
  Signer,
} from "@durable-streams-cloudflare/http/auth/authorize";
export { refuse, type Problem, type ProblemCode, type Refusal } from "@durable-streams-cloudflare/protocol";
