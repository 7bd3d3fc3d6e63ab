export { concatBytes, patternBytes, textOf, utf8 } from "./bytes.ts";
export { assertProperty } from "./property.ts";
export type { Usage } from "./usage.ts";
