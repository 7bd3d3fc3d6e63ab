/** The Worker of these tests: the deployed one, and the object of an example of a module. */
export * from "../../src/worker.ts";
export { TallyDO } from "./modules/tally-do.ts";
