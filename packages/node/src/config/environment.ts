/** Reads the options in the environment. */

import type { Option, OptionTable } from "./options.ts";
import { refusedValue, unknownName, type LayerContent, type Written } from "./written.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the profile, which is no option: the profile decides which files hold options. */
export const PROFILE_VARIABLE = "DS_PROFILE";

/** What the environment has besides options: the engine of this repository's tests, and what workerd's launcher tells it. */
const OTHER_USES = [PROFILE_VARIABLE, "DS_ENGINE", "DS_WORKERD", "DS_CONTROL", "DS_PROCESS_RECORD", "DS_STOPPING"];

/** Shared with many other programs, so it counts only if it is the only one, and is never refused. */
const RUST_LOG = "RUST_LOG";

/** An empty variable is one that is not set. */
export function readEnvironment(env: Environment, table: OptionTable): LayerContent {
  const written: Written[] = [];
  const faults: string[] = [];
  const read = (variable: string, option: Option, text: string): void => {
    const place = `the environment variable ${variable}`;
    const value = option.parse(text);
    if (value === undefined) faults.push(refusedValue("", option, variable, JSON.stringify(text)));
    else written.push({ option, layer: "environment", place, value });
  };
  for (const [variable, text = ""] of Object.entries(env)) {
    if (!variable.startsWith("DS_") || text === "" || OTHER_USES.includes(variable)) continue;
    const option = table.ofVariable(variable);
    if (option === undefined) faults.push(unknownName("the environment", variable, variablesIn(table)));
    else read(variable, option, text);
  }
  for (const option of table.all.filter(({ isSecret }) => isSecret)) {
    const text = env[option.id] ?? "";
    if (text !== "") read(option.id, option, text);
  }
  const level = table.named("LOG_LEVEL");
  const filter = table.ofVariable("DS_LOG__RUST_LOG");
  const value = filter?.parse(env[RUST_LOG] ?? "");
  if (level !== undefined && value !== undefined && !written.some(({ option }) => option.id === level.id)) {
    written.push({ option: level, layer: "environment", place: `the environment variable ${RUST_LOG}`, value });
  }
  const shared = sharedIn(table);
  // Parts of two credentials do not fit each other.
  const fits = ({ id, credential }: Option): boolean =>
    !own.some((other) => other.id === id || (credential !== undefined && other.credential === credential));
  const own = written.map(({ option }) => option);
  for (const { option, name } of shared.filter((each) => fits(each.option))) {
    const value = option.parse(env[name] ?? "");
    const place = `the environment variable ${name}`;
    if (value !== undefined) written.push({ option, layer: "environment", place, value });
  }
  return { written, faults };
}

function variablesIn({ all }: OptionTable): readonly string[] {
  return all.map(({ variable }) => variable);
}

/** Options whose variables are shared with other programs: what an option would not accept is none of its business. */
function sharedIn({ all }: OptionTable): readonly { readonly option: Option; readonly name: string }[] {
  return all.flatMap((option) => (option.otherVariable === undefined ? [] : [{ option, name: option.otherVariable }]));
}
