/** Reads the options in the environment. */

import { OPTIONS, optionNamed, optionOfVariable, type Option } from "./options.ts";
import { refusedValue, unknownName, type LayerContent, type Written } from "./written.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the profile, which is no option: the profile decides which files hold options. */
export const PROFILE_VARIABLE = "DS_PROFILE";

/** What the environment has besides options: the engine of this repository's tests, and what workerd's launcher tells it. */
const OTHER_USES = [PROFILE_VARIABLE, "DS_ENGINE", "DS_WORKERD", "DS_CONTROL", "DS_PROCESS_RECORD", "DS_STOPPING"];

/** Shared with many other programs, so it counts only if it is the only one, and is never refused. */
const RUST_LOG = "RUST_LOG";

const VARIABLES = OPTIONS.map(({ variable }) => variable);
/** Shared with other programs, too: what an option would not accept is none of its business. */
const SHARED = OPTIONS.flatMap((option) =>
  option.otherVariable === undefined ? [] : [{ option, name: option.otherVariable }],
);
const SECRETS = OPTIONS.filter(({ isSecret }) => isSecret);

/** An empty variable is one that is not set. */
export function readEnvironment(env: Environment): LayerContent {
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
    const option = optionOfVariable(variable);
    if (option === undefined) faults.push(unknownName("the environment", variable, VARIABLES));
    else read(variable, option, text);
  }
  for (const option of SECRETS) {
    const text = env[option.id] ?? "";
    if (text !== "") read(option.id, option, text);
  }
  const level = optionNamed("LOG_LEVEL");
  const filter = optionOfVariable("DS_LOG__RUST_LOG");
  const value = filter?.parse(env[RUST_LOG] ?? "");
  if (level !== undefined && value !== undefined && !written.some(({ option }) => option.id === level.id)) {
    written.push({ option: level, layer: "environment", place: `the environment variable ${RUST_LOG}`, value });
  }
  // Parts of two credentials do not fit each other.
  const hasOwn = SHARED.some(({ option }) => written.some((own) => own.option.id === option.id));
  for (const { option, name } of hasOwn ? [] : SHARED) {
    const value = option.parse(env[name] ?? "");
    const place = `the environment variable ${name}`;
    if (value !== undefined) written.push({ option, layer: "environment", place, value });
  }
  return { written, faults };
}
