/** On which of the two engines of one machine the tests run. */

export type Engine = "node" | "workerd";

/** The environment variable that says it; the projects of vitest set it. */
export const ENGINE_VARIABLE = "DS_ENGINE";

/** What `npm start` runs on, too. */
const ENGINE_DEFAULT: Engine = "node";

/** @throws Error where the variable names no engine. */
export function engine(): Engine {
  const name = process.env[ENGINE_VARIABLE] ?? ENGINE_DEFAULT;
  if (name === "node" || name === "workerd") return name;
  throw new Error(`${ENGINE_VARIABLE} is ${name}, and must be node or workerd.`);
}
