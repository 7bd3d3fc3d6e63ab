/** Finds an answer to each question: what this folder was set up with, flags, prompts, or the initial values. */

import type { Account, CloudflareApi } from "../cloudflare/api.ts";
import { CliError, EXIT, usageError } from "../failure.ts";
import type { Prompts } from "../prompts.ts";
import {
  ANSWER_NAMES,
  checkAnswers,
  faultOf,
  flagOf,
  initialAnswers,
  NAME_INITIAL,
  ONLY_PROJECT,
  REGIONS,
  type Answers,
  type Checked,
  type Region,
  type Tenancy,
} from "./answers.ts";

/** Whoever can be asked. */
export type Asking = Pick<Prompts, "confirm" | "select" | "text">;

export interface Sources {
  /** Of flags, and of the setup that was here before. */
  readonly given: Partial<Answers>;
  /** `undefined`: nobody is there to be asked. */
  readonly prompts: Asking | undefined;
  /** Whether the initial values will do for what nobody has said. */
  readonly isAgreed: boolean;
  /** Calls Cloudflare only when the account is not given. */
  readonly api: () => Promise<Pick<CloudflareApi, "accounts">>;
}

/** @throws CliError when a value is no good, or when there are questions that nobody answers. */
export async function findAnswers(sources: Sources): Promise<Answers> {
  const { given, prompts, isAgreed } = sources;
  checkAnswers(given);
  if (prompts === undefined && !isAgreed) refuseMissing(given);
  const asking = isAgreed ? undefined : prompts;
  const name = given.name ?? (await askText(asking, "name", "Name of the Worker", NAME_INITIAL));
  const tenancy = given.tenancy ?? (await askTenancy(asking));
  const account = given.account ?? (await findAccount(sources, asking));
  const initial = initialAnswers(name, tenancy);
  const bucket = given.bucket === undefined ? await askBucket(asking, initial.bucket) : given.bucket;
  const region = given.region ?? (bucket === null ? initial.region : await askRegion(asking, initial.region));
  const namespace =
    given.namespace ??
    (await askText(asking, "namespace", "Title of the KV namespace for projects", initial.namespace));
  const queue = given.queue === undefined ? await askQueue(asking, initial.queue) : given.queue;
  const caching = given.caching ?? (await askCaching(asking, initial.caching));
  const domain = given.domain === undefined ? await askDomain(asking) : given.domain;
  const answers = { name, account, tenancy, bucket, namespace, region, queue, caching, domain };
  const firstProject =
    given.firstProject === undefined
      ? await askFirstProject(asking, tenancy, initial.firstProject)
      : given.firstProject;
  if (tenancy === "single" && firstProject !== null && firstProject !== ONLY_PROJECT) {
    throw usageError(`With --tenancy single the project is ${ONLY_PROJECT}.`, `--first-project ${ONLY_PROJECT}`);
  }
  return { ...answers, firstProject };
}

function refuseMissing(given: Partial<Answers>): void {
  const missing = ANSWER_NAMES.filter((name) => given[name] === undefined).map(flagOf);
  if (missing.length === 0) return;
  throw usageError(
    `There is no terminal to ask on, and these are not given: ${missing.join(", ")}.`,
    "give them, or use their defaults with --yes",
  );
}

async function askText(prompts: Asking | undefined, name: Checked, message: string, initial: string): Promise<string> {
  return prompts === undefined ? initial : prompts.text(message, initial, (value) => faultOf(name, value));
}

async function askTenancy(prompts: Asking | undefined): Promise<Tenancy> {
  if (prompts === undefined) return "path";
  const options = [
    { value: "path", label: "A server of many projects", hint: "/v1/stream/<project>/<stream>" },
    { value: "single", label: "A server of one project", hint: "/v1/stream/<stream>" },
  ] as const;
  return prompts.select<Tenancy>("What to deploy", options, "path");
}

async function findAccount({ api }: Sources, prompts: Asking | undefined): Promise<string> {
  const accounts = await (await api()).accounts();
  const [only] = accounts;
  if (only === undefined) {
    throw new CliError("This login reaches no account.", {
      code: "no-account",
      fix: "give the token access to an account, or name one: --account ID",
      exitCode: EXIT.refused,
    });
  }
  if (prompts !== undefined) return prompts.select("Account", accounts.map(choiceOf), only.id);
  if (accounts.length === 1) return only.id;
  const names = accounts.map(({ id, name }) => `${id} (${name})`).join(", ");
  throw usageError("This login reaches several accounts.", `--account ID, one of ${names}`);
}

function choiceOf({ id, name }: Account) {
  return { value: id, label: name, hint: id };
}

async function askBucket(prompts: Asking | undefined, initial: string | null): Promise<string | null> {
  if (prompts === undefined || initial === null) return initial;
  const isWanted = await prompts.confirm(
    "Move the older part of long streams to R2? (Cheaper, and without a limit)",
    true,
  );
  return isWanted ? askText(prompts, "bucket", "Name of the R2 bucket", initial) : null;
}

async function askRegion(prompts: Asking | undefined, initial: Region): Promise<Region> {
  if (prompts === undefined) return initial;
  const labels = ["near me", "western North America", "eastern North America", "western Europe", "eastern Europe"];
  const all = [...labels, "Asia-Pacific", "Oceania"];
  const options = REGIONS.map((value, index) => ({ value, label: all[index] ?? value, hint: value }));
  return prompts.select<Region>("Where the bucket is", options, initial);
}

async function askQueue(prompts: Asking | undefined, initial: string | null): Promise<string | null> {
  if (prompts === undefined || initial === null) return initial;
  const isWanted = await prompts.confirm("A queue for messages to more than 512 sessions at once?", true);
  return isWanted ? askText(prompts, "queue", "Name of the queue", initial) : null;
}

async function askCaching(prompts: Asking | undefined, initial: boolean): Promise<boolean> {
  if (prompts === undefined) return initial;
  return prompts.confirm("Workers Caching? (Answers repeated reads without running the Worker)", initial);
}

async function askDomain(prompts: Asking | undefined): Promise<string | null> {
  if (prompts === undefined) return null;
  const check = (value: string) => (value === "" ? undefined : faultOf("domain", value));
  const domain = await prompts.text("Domain of the account's, or nothing for workers.dev", "", check);
  return domain === "" ? null : domain;
}

async function askFirstProject(
  prompts: Asking | undefined,
  tenancy: Tenancy,
  initial: string | null,
): Promise<string | null> {
  if (prompts === undefined || initial === null) return initial;
  if (tenancy === "single") return (await prompts.confirm("Make a secret for its project?", true)) ? initial : null;
  const check = (value: string) => (value === "" ? undefined : faultOf("firstProject", value));
  const project = await prompts.text("Name of the first project, or nothing for none", initial, check);
  return project === "" ? null : project;
}
