/** What setup has to know. Each answer has a flag, an default value, and a check that flag and prompt share. */

import { usageError } from "../failure.ts";

export const REGIONS = ["auto", "wnam", "enam", "weur", "eeur", "apac", "oc"] as const;
export const TENANCIES = ["path", "single"] as const;

export type Region = (typeof REGIONS)[number];
export type Tenancy = (typeof TENANCIES)[number];

export interface Answers {
  /** Of the Worker. */
  readonly name: string;
  /** Id of the Cloudflare account. */
  readonly account: string;
  /** `path`: many projects; `single`: one. */
  readonly tenancy: Tenancy;
  /** Name of the R2 bucket; `null`: everything stays in the objects. */
  readonly bucket: string | null;
  /** Title of the KV namespace. */
  readonly namespace: string;
  /** Of the bucket. */
  readonly region: Region;
  /** Name of the queue for large fan-outs; `null`: the objects deliver all by themselves. */
  readonly queue: string | null;
  /** Workers Caching. */
  readonly caching: boolean;
  /** A domain of the account; `null`: workers.dev. */
  readonly domain: string | null;
  /** Name of the first project; `null`: none yet. */
  readonly firstProject: string | null;
}

/** The one project of a server with `TENANCY=single`. */
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
  name: { pattern: /^[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$/, expects: "up to 54 small letters, digits and dashes" },
  account: { pattern: /^[0-9a-f]{32}$/, expects: "32 hexadecimal digits" },
  bucket: { pattern: /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, expects: "3 to 63 small letters, digits and dashes" },
  namespace: { pattern: /^[\w.-]{1,100}$/, expects: "up to 100 letters, digits, dots, dashes and underscores" },
  queue: { pattern: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, expects: "up to 63 small letters, digits and dashes" },
  domain: {
    pattern: /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/,
    expects: "a name such as streams.example.com",
  },
  firstProject: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    expects: "1 to 63 letters, digits, dots, dashes and underscores",
  },
} as const;

export type Checked = keyof typeof CHECKS;

/** What is wrong with a value; `undefined`: nothing. */
export function faultOf(name: Checked, value: string): string | undefined {
  return CHECKS[name].pattern.test(value) ? undefined : `Use ${CHECKS[name].expects}.`;
}

/** The flag of an answer, as it is typed. */
export function flagOf(name: keyof Answers): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** @throws CliError that names each flag whose value is no good. */
export function checkAnswers(answers: Partial<Answers>): void {
  const faults = (Object.keys(CHECKS) as Checked[]).flatMap((name) => {
    const value = answers[name];
    const fault = typeof value === "string" ? faultOf(name, value) : undefined;
    return fault === undefined ? [] : [`${flagOf(name)} ${JSON.stringify(value)}: ${fault}`];
  });
  if (faults.length > 0) throw usageError(faults.join(" "), "give other values");
}

/** What is taken where nothing is said, but for the account: nobody guesses that. */
export function initialAnswers(name: string, tenancy: Tenancy): Omit<Answers, "account"> {
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

export const NAME_INITIAL = "durable-streams";
