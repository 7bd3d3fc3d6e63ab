export { concatBytes, patternBytes, textOf, utf8 } from "./bytes.ts";
export { FanOutLedger } from "./fan-out-ledger.ts";
export type { Append, Command, Create, Driver, Interruption, Mode, Observed } from "./model/commands.ts";
export { INTERRUPTION_MS, MISHAPS, RESTART_MS } from "./model/commands.ts";
export { runSteps } from "./model/run-steps.ts";
export { chainSteps, steps, type Step } from "./model/steps.ts";
export { assertProperty } from "./property.ts";
export type { Usage } from "./usage.ts";
