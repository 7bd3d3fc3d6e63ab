/** The answers that setup needs. Each one has a flag, a default, and a check that the flag and the prompt share. */

import { usageError } from "../failure.ts";

export const REGIONS = ["auto", "wnam", "enam", "weur", "eeur", "apac", "oc"] as const;
export const TENANCIES = ["path", "single"] as const;

export type Region = (typeof REGIONS)[number];
export type Tenancy = (typeof TENANCIES)[number];

export interface Answers {
  /** Name of the Worker. */
  readonly name: string;
  /** Id of the Cloudflare account. */
  readonly account: string;
  /** `path`: many projects; `single`: one. */
  readonly tenancy: Tenancy;
  /** Name of the R2 bucket; `null`: all data stays in the Durable Objects. */
  readonly bucket: string | null;
  /** Title of the KV namespace. */
  readonly namespace: string;
  /** Region of the bucket. */
  readonly region: Region;
  /** Name of the queue for large fan-outs; `null`: the Durable Objects deliver everything themselves. */
  readonly queue: string | null;
  /** Whether Workers Caching is on. */
  readonly caching: boolean;
  /** A domain of the account; `null`: use workers.dev. */
  readonly domain: string | null;
  /** Name of the first project; `null`: none yet. */
  readonly firstProject: string | null;
}

/** The only project of a server with `TENANCY=single`. */
export const ONLY_PROJECT = "default";

/** In the order of the questions. */
export const ANSWER_NAMES = [
  "name",
  "tenancy",
  "account",
  "bucket",
  "region",
  "namespace",
  "queue",
  "caching",
  "domain",
  "firstProject",
] as const satisfies readonly (keyof Answers)[];

const CHECKS = {
  name: { pattern: /^[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$/, expects: "1 to 54 lower-case letters, digits and dashes" },
  account: { pattern: /^[0-9a-f]{32}$/, expects: "32 hexadecimal digits" },
  bucket: { pattern: /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, expects: "3 to 63 lower-case letters, digits and dashes" },
  namespace: { pattern: /^[\w.-]{1,100}$/, expects: "1 to 100 letters, digits, dots, dashes and underscores" },
  queue: { pattern: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, expects: "1 to 63 lower-case letters, digits and dashes" },
  domain: {
    pattern: /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
    expects: "a host name such as streams.example.com",
  },
  firstProject: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    expects: "1 to 63 letters, digits, dots, dashes and underscores",
  },
} as const;

export type Checked = keyof typeof CHECKS;

/** What is wrong with a value; `undefined` if it is valid. */
export function faultOf(name: Checked, value: string): string | undefined {
  return CHECKS[name].pattern.test(value) ? undefined : `Use ${CHECKS[name].expects}.`;
}

/** The flag that gives an answer. */
export function flagOf(name: keyof Answers): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** @throws CliError that names every flag with an invalid value. */
export function checkAnswers(answers: Partial<Answers>): void {
  const faults = (Object.keys(CHECKS) as Checked[]).flatMap((name) => {
    const value = answers[name];
    const fault = typeof value === "string" ? faultOf(name, value) : undefined;
    return fault === undefined ? [] : [`${flagOf(name)} ${JSON.stringify(value)}: ${fault}`];
  });
  if (faults.length > 0) throw usageError(faults.join(" "), "correct these values");
}

/** The defaults of all answers except the account, which has none. */
export function defaultAnswers(name: string, tenancy: Tenancy): Omit<Answers, "account"> {
  return {
    name,
    tenancy,
    bucket: `${name}-segments`,
    namespace: `${name}-registry`,
    region: "auto",
    queue: `${name}-fan-out`,
    caching: false,
    domain: null,
    firstProject: tenancy === "single" ? ONLY_PROJECT : "demo",
  };
}

export const NAME_DEFAULT = "durable-streams";
