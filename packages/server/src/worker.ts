/** The Worker of a deployment without code of its own: the server, its Durable Object classes and `ProjectsRpc`. */

import { env } from "cloudflare:workers";

import { createDurableStreams } from "./durable-streams.ts";

const streams = createDurableStreams();
// At start, so that a deploy with a bad setting fails instead of its requests.
streams.check(env);

export { ProjectsRpc } from "./projects-rpc.ts";
export { ConsumerDO } from "./objects/consumer-do.ts";
export { EstuaryDO } from "./objects/estuary-do.ts";
export { ProjectDO } from "./objects/project-do.ts";
export { StreamDO } from "./objects/stream-do.ts";
export { SubscriptionDO } from "./objects/subscription-do.ts";

export default streams;
