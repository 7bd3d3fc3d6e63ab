/** Finds the answers: from flags, from an earlier setup in this folder, from prompts, or from the defaults. */

import type { Account, CloudflareApi } from "../cloudflare/api.ts";
import { CliError, EXIT, usageError } from "../failure.ts";
import type { Prompts } from "../prompts.ts";
import {
  ANSWER_NAMES,
  checkAnswers,
  faultOf,
  flagOf,
  defaultAnswers,
  NAME_DEFAULT,
  ONLY_PROJECT,
  REGIONS,
  type Answers,
  type Checked,
  type Region,
  type Tenancy,
} from "./answers.ts";

/** The prompts that questions need. */
export type Prompter = Pick<Prompts, "confirm" | "select" | "text">;

export interface Sources {
  /** Answers from flags and from an earlier setup in this folder. */
  readonly given: Partial<Answers>;
  /** `undefined` if prompting is impossible. */
  readonly prompts: Prompter | undefined;
  /** Whether missing answers get their defaults. */
  readonly acceptsDefaults: boolean;
  /** Calls Cloudflare only when the account is not given. */
  readonly api: () => Promise<Pick<CloudflareApi, "accounts">>;
}

/** @throws CliError when a value is invalid, or when an answer is missing and cannot be prompted for. */
export async function findAnswers(sources: Sources): Promise<Answers> {
  const { given, prompts, acceptsDefaults } = sources;
  checkAnswers(given);
  if (prompts === undefined && !acceptsDefaults) refuseMissing(given);
  const prompter = acceptsDefaults ? undefined : prompts;
  const name = given.name ?? (await askText(prompter, "name", "Name of the Worker", NAME_DEFAULT));
  const tenancy = given.tenancy ?? (await askTenancy(prompter));
  const account = given.account ?? (await findAccount(sources, prompter));
  const defaults = defaultAnswers(name, tenancy);
  const bucket = given.bucket === undefined ? await askBucket(prompter, defaults.bucket) : given.bucket;
  const region = given.region ?? (bucket === null ? defaults.region : await askRegion(prompter, defaults.region));
  const namespace =
    given.namespace ??
    (await askText(prompter, "namespace", "Title of the KV namespace for projects", defaults.namespace));
  const queue = given.queue === undefined ? await askQueue(prompter, defaults.queue) : given.queue;
  const caching = given.caching ?? (await askCaching(prompter, defaults.caching));
  const domain = given.domain === undefined ? await askDomain(prompter) : given.domain;
  const answers = { name, account, tenancy, bucket, namespace, region, queue, caching, domain };
  const firstProject =
    given.firstProject === undefined
      ? await askFirstProject(prompter, tenancy, defaults.firstProject)
      : given.firstProject;
  if (tenancy === "single" && firstProject !== null && firstProject !== ONLY_PROJECT) {
    throw usageError(
      `With --tenancy single, the project is always called ${ONLY_PROJECT}.`,
      `use --first-project ${ONLY_PROJECT}`,
    );
  }
  return { ...answers, firstProject };
}

function refuseMissing(given: Partial<Answers>): void {
  const missing = ANSWER_NAMES.filter((name) => given[name] === undefined).map(flagOf);
  if (missing.length === 0) return;
  throw usageError(
    `These flags are missing, and there is no terminal to ask on: ${missing.join(", ")}.`,
    "add the flags, or use their defaults with --yes",
  );
}

async function askText(prompts: Prompter | undefined, name: Checked, message: string, preset: string): Promise<string> {
  return prompts === undefined ? preset : prompts.text(message, preset, (value) => faultOf(name, value));
}

async function askTenancy(prompts: Prompter | undefined): Promise<Tenancy> {
  if (prompts === undefined) return "path";
  const options = [
    { value: "path", label: "A server with many projects", hint: "/v1/stream/<project>/<stream>" },
    { value: "single", label: "A server with a single project", hint: "/v1/stream/<stream>" },
  ] as const;
  return prompts.select<Tenancy>("What do you want to deploy?", options, "path");
}

async function findAccount({ api }: Sources, prompts: Prompter | undefined): Promise<string> {
  const accounts = await (await api()).accounts();
  const [only] = accounts;
  if (only === undefined) {
    throw new CliError("This login has access to no account.", {
      code: "no-account",
      fix: "give the token access to an account, or use --account ID",
      exitCode: EXIT.refused,
    });
  }
  if (prompts !== undefined) return prompts.select("Account", accounts.map(choiceOf), only.id);
  if (accounts.length === 1) return only.id;
  const names = accounts.map(({ id, name }) => `${id} (${name})`).join(", ");
  throw usageError("This login has access to several accounts.", `use --account ID with one of ${names}`);
}

function choiceOf({ id, name }: Account) {
  return { value: id, label: name, hint: id };
}

async function askBucket(prompts: Prompter | undefined, preset: string | null): Promise<string | null> {
  if (prompts === undefined || preset === null) return preset;
  const isWanted = await prompts.confirm(
    "Move older data of long streams to R2? (cheaper, and without a size limit)",
    true,
  );
  return isWanted ? askText(prompts, "bucket", "Name of the R2 bucket", preset) : null;
}

async function askRegion(prompts: Prompter | undefined, preset: Region): Promise<Region> {
  if (prompts === undefined) return preset;
  const labels = ["Close to me", "Western North America", "Eastern North America", "Western Europe", "Eastern Europe"];
  const all = [...labels, "Asia-Pacific", "Oceania"];
  const options = REGIONS.map((value, index) => ({ value, label: all[index] ?? value, hint: value }));
  return prompts.select<Region>("Region of the R2 bucket", options, preset);
}

async function askQueue(prompts: Prompter | undefined, preset: string | null): Promise<string | null> {
  if (prompts === undefined || preset === null) return preset;
  const isWanted = await prompts.confirm("Create a queue for messages to more than 512 sessions at once?", true);
  return isWanted ? askText(prompts, "queue", "Name of the queue", preset) : null;
}

async function askCaching(prompts: Prompter | undefined, preset: boolean): Promise<boolean> {
  if (prompts === undefined) return preset;
  return prompts.confirm("Turn on Workers Caching? (answers repeated reads without running the Worker)", preset);
}

async function askDomain(prompts: Prompter | undefined): Promise<string | null> {
  if (prompts === undefined) return null;
  const check = (value: string) => (value === "" ? undefined : faultOf("domain", value));
  const domain = await prompts.text("Domain of the account (leave empty for workers.dev)", "", check);
  return domain === "" ? null : domain;
}

async function askFirstProject(
  prompts: Prompter | undefined,
  tenancy: Tenancy,
  preset: string | null,
): Promise<string | null> {
  if (prompts === undefined || preset === null) return preset;
  if (tenancy === "single") return (await prompts.confirm("Create a secret for its project?", true)) ? preset : null;
  const check = (value: string) => (value === "" ? undefined : faultOf("firstProject", value));
  const project = await prompts.text("Name of the first project (leave empty for none)", preset, check);
  return project === "" ? null : project;
}
