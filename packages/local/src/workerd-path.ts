import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The workerd binary for this machine, from npm. The package has no types. */
export const WORKERD_PATH = (require("workerd") as { default: string }).default;
