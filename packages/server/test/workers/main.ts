/** The Worker of these tests: the deployed one, and the object of an example of a module. Vitest looks for each name here. */
export { default, ConsumerDO, EstuaryDO, ProjectDO, ProjectsRpc, StreamDO, SubscriptionDO } from "../../src/worker.ts";
export { TallyDO } from "./modules/tally-do.ts";
