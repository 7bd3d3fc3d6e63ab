export { concatBytes, patternBytes, textOf, utf8 } from "./bytes.ts";
export type { Append, Command, Create, Driver, Mode, Observed } from "./model/commands.ts";
export { RESTART_MS } from "./model/reference-stream.ts";
export { runSteps } from "./model/run-steps.ts";
export { steps, type Step } from "./model/steps.ts";
export { assertProperty } from "./property.ts";
