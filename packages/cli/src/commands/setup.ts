import { resolve } from "node:path";

import { Option, type Command } from "commander";

import { CloudflareApi } from "../cloudflare/api.ts";
import { findCredentials } from "../cloudflare/wrangler.ts";
import { ENVIRONMENT, parseServerUrl } from "../connection.ts";
import { contextOf, type Context } from "../context.ts";
import { cancelled, usageError } from "../failure.ts";
import { examples } from "../help.ts";
import { isInteractive, type Io } from "../io.ts";
import { Prompts } from "../prompts.ts";
import { ANSWER_NAMES, NAME_DEFAULT, REGIONS, TENANCIES, type Answers } from "../setup/answers.ts";
import { act, plan, type PlannedStep } from "../setup/engine.ts";
import { Progress } from "../setup/progress.ts";
import { findAnswers } from "../setup/questions.ts";
import { checkFolder, WORKER_FOLDER } from "../setup/scaffold.ts";
import { findServerPackage } from "../setup/server-package.ts";
import { StateStore } from "../setup/state.ts";
import { checkNode } from "../setup/steps.ts";
import { version } from "../version.ts";

type Flags = { readonly [Name in keyof Answers]?: NonNullable<Answers[Name]> | false };

interface Options extends Flags {
  readonly serverPackage?: string;
  readonly yes?: true;
  readonly dryRun?: true;
}

/** A dry run calls nothing, so it cannot find out an account that is not given. */
const UNKNOWN_ACCOUNTS = { accounts: async () => [{ id: "", name: "" }] };

export function setupCommand(program: Command, io: Io): void {
  const command = program
    .command("setup [folder]")
    .description("deploy a server to your Cloudflare account; if interrupted, run it again to resume")
    .option("--name <name>", `name of the Worker (default: ${NAME_DEFAULT})`)
    .addOption(new Option("--tenancy <tenancy>", "path: many projects; single: one project").choices(TENANCIES))
    .option("--account <id>", "id of the Cloudflare account (or set CLOUDFLARE_ACCOUNT_ID)")
    .option("--bucket <name>", "R2 bucket for older data of long streams")
    .option("--no-bucket", "keep all data in the Durable Objects")
    .option("--namespace <title>", "KV namespace for projects")
    .addOption(new Option("--region <region>", "region of the bucket").choices(REGIONS))
    .option("--queue <name>", "queue for messages to very many sessions at once")
    .option("--no-queue", "create no queue: the Durable Objects deliver everything themselves")
    .option("--caching", "turn on Workers Caching")
    .option("--no-caching", "leave Workers Caching off")
    .option("--domain <domain>", "domain of the account to use instead of workers.dev")
    .option("--no-domain", "use workers.dev")
    .option("--first-project <name>", "name of the first project")
    .option("--no-first-project", "create no project")
    .option(
      "--server-package <package>",
      "version or archive of the server, or a folder from `npm run pack` (default: this version)",
    )
    .option("--yes", "skip the prompts and use the default of every missing answer")
    .option("--dry-run", "print the plan, and change nothing")
    .action(async (folder: string | undefined, options: Options, called: Command) => {
      await setup(contextOf(called, io), resolve(io.cwd, folder ?? NAME_DEFAULT), options);
    });
  examples(
    command,
    "durable-streams setup",
    "durable-streams setup --dry-run --yes",
    "durable-streams setup streams --yes --name streams --domain streams.example.com --first-project demo",
  );
}

async function setup(context: Context, folder: string, options: Options): Promise<void> {
  const { io, output, globals } = context;
  checkFolder(folder);
  const known = StateStore.read(folder);
  const given = givenAnswers(options, io, known?.state.answers);
  const isDry = options.dryRun === true;
  if (!isDry) checkNode(process.versions.node);
  let api: Promise<CloudflareApi> | undefined;
  const connect = (): Promise<CloudflareApi> => (api ??= connectTo(io, folder));
  const prompts = !isDry && isInteractive(io) ? new Prompts(io) : undefined;
  const answers = await findAnswers({
    given,
    prompts,
    acceptsDefaults: isDry || options.yes === true,
    api: isDry ? async () => UNKNOWN_ACCOUNTS : connect,
  });
  const steps = plan(answers, known?.state);
  if (isDry) return output.result({ folder, answers, plan: steps }, describe(folder, steps));
  if (prompts !== undefined && options.yes !== true) await agree(prompts, output.note.bind(output), folder, steps);

  const store = known ?? StateStore.begin(folder, answers);
  store.update({ answers });
  const world = {
    io,
    output,
    store,
    api: await connect(),
    serverPackage: findServerPackage(options.serverPackage ?? version(), io.cwd),
    url: globals.url === undefined ? undefined : parseServerUrl(globals.url),
    adminSecret: io.env[ENVIRONMENT.adminSecret] || undefined,
  };
  await act(world, new Progress(io, output, globals.quiet === true));
  const { url = "" } = store.state;
  await output.result({ url, folder, profile: answers.name }, `${ENVIRONMENT.url}=${url}`);
  output.note(`The server is running at ${url}. Check it: durable-streams doctor --profile ${answers.name}`);
}

async function connectTo(io: Io, folder: string): Promise<CloudflareApi> {
  const credentials = await findCredentials(io, resolve(folder, WORKER_FOLDER));
  return new CloudflareApi({ credentials, env: io.env, signal: io.signal });
}

/** Flags override earlier answers. @throws CliError when they describe another server than the one in this folder. */
function givenAnswers(options: Options, { env }: Io, before: Answers | undefined): Partial<Answers> {
  const account = options.account ?? (env["CLOUDFLARE_ACCOUNT_ID"] || undefined);
  const flags = { ...options, ...(account === undefined ? {} : { account }) };
  const names: readonly string[] = ANSWER_NAMES;
  const given = Object.fromEntries(
    Object.entries(flags)
      .filter(([name, value]) => names.includes(name) && value !== undefined)
      // Flags such as `--no-bucket` mean null; `--no-caching` really means false.
      .map(([name, value]) => [name, value === false && name !== "caching" ? null : value]),
  ) as Partial<Answers>;
  for (const name of ["name", "account", "tenancy"] as const) {
    if (before === undefined || given[name] === undefined || given[name] === before[name]) continue;
    throw usageError(`This folder belongs to another server: its ${name} is ${before[name]}.`, "use another folder");
  }
  return { ...before, ...given };
}

function describe(folder: string, steps: readonly PlannedStep[]): string {
  return [`In ${folder}:`, ...steps.map(({ title, status }) => `${status === "done" ? "✓" : "·"} ${title}`)].join("\n");
}

async function agree(prompts: Prompts, note: (text: string) => void, folder: string, steps: readonly PlannedStep[]) {
  note(`\n${describe(folder, steps)}\n`);
  if (!(await prompts.confirm("Continue?", true))) throw cancelled("Nothing was changed.");
}
