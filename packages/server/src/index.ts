export { ConfigError, parseConfig, SETTINGS, type Config, type SettingName } from "./config.ts";
export type { Authorize, AuthorizeInput, Granted, Scope, Signer } from "./http/authorize.ts";
export {
  createDurableStreams,
  type DurableStreams,
  type DurableStreamsEnv,
  type DurableStreamsOptions,
} from "./http/durable-streams.ts";
export type { StorageFault, StorageStatus } from "./http/storage-status.ts";
export type { MayExist, ObjectKind } from "./http/absent-objects.ts";
export type { LiveReads } from "./http/live/live-reads.ts";
export { ConsumerDO } from "./consumer/object.ts";
export { EstuaryDO } from "./estuary/object.ts";
export { ProjectDO } from "./project/object.ts";
export { ProjectsRpc } from "./project/rpc.ts";
export type { ProjectSettings, ProjectView } from "./project/record.ts";
export { StreamDO } from "./stream/object.ts";
export { SubscriptionDO } from "./subscription/object.ts";
export { refuse, type Problem, type ProblemCode, type Refusal } from "@durable-streams-cloudflare/protocol";
