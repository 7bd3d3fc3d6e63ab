/** The Worker of these tests: the deployed one, and the object of an example of a module. Vitest looks for each name here. */
import { tally } from "@durable-streams-cloudflare/http/test/modules/tally";

import { moduleObject } from "../../src/index.ts";

export { default, ConsumerDO, EstuaryDO, ProjectDO, ProjectsRpc, StreamDO, SubscriptionDO } from "../../src/worker.ts";

export const TallyDO = moduleObject(tally, "TALLIES");
