/** The deployable Worker. */

import { env } from "cloudflare:workers";

import { parseConfig } from "./config.ts";
import { createDurableStreams } from "./http/durable-streams.ts";

// At start, so that a deploy with a bad setting fails instead of its requests.
parseConfig(env);

export { ProjectsRpc } from "./project/rpc.ts";
export { ConsumerDO } from "./consumer/object.ts";
export { EstuaryDO } from "./estuary/object.ts";
export { ProjectDO } from "./project/object.ts";
export { StreamDO } from "./stream/object.ts";
export { SubscriptionDO } from "./subscription/object.ts";

export default createDurableStreams();
