/** The configuration in layers, for the command that starts a server. It does not load the server itself. */

export type { Environment } from "./environment.ts";
export { formatConfig } from "./explain.ts";
export type { Flag } from "./layers.ts";
export { storageOf, tlsOf } from "./load-config.ts";
export { telemetryOf } from "./telemetry-options.ts";
export { readCertificate } from "../http/tls/certificate-files.ts";
export { impliedBy, isLoopback, isUnmeantExposure, machineDefaults } from "./machine-defaults.ts";
export { optionNamed, OPTIONS } from "./options.ts";
export { resolveConfig, type ConfigValue, type ResolvedConfig } from "./resolve.ts";
export { SERVER_OPTIONS } from "./server-options.ts";
