/** What the package exports: the server to mount in a Worker, its Durable Object classes, and its types. */

export {
  ConfigError,
  parseConfig,
  SETTINGS,
  type Config,
  type SettingName,
} from "@durable-streams-cloudflare/core/config";
export type { Granted, Scope, Signer } from "@durable-streams-cloudflare/http/auth/authorize";
export {
  createDurableStreams,
  type Authorize,
  type AuthorizeInput,
  type DurableStreams,
  type DurableStreamsEnv,
  type DurableStreamsOptions,
} from "./durable-streams.ts";
export type { StorageFault, StorageStatus } from "@durable-streams-cloudflare/http/limits/storage-status";
export type { MayExist, ObjectKind } from "./objects/absent-objects.ts";
export type { Module } from "@durable-streams-cloudflare/http/modules/module-types";
export type { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
export { ConsumerDO } from "./objects/consumer-do.ts";
export { EstuaryDO } from "./objects/estuary-do.ts";
export { moduleObject, type ModuleObjectClass } from "./objects/module-object.ts";
export { ProjectDO } from "./objects/project-do.ts";
export { ProjectsRpc } from "./projects-rpc.ts";
export type { ProjectSettings, ProjectView } from "@durable-streams-cloudflare/core/contracts/project-record";
export { StreamDO } from "./objects/stream-do.ts";
export { SubscriptionDO } from "./objects/subscription-do.ts";
export { refuse, type Problem, type ProblemCode, type Refusal } from "@durable-streams-cloudflare/protocol";
