/** The checks of `doctor` on the folder that setup created, and on the account that it is deployed to. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { CloudflareApi, type DeployedWorker } from "../cloudflare/api.ts";
import { runCommand } from "../cloudflare/run-command.ts";
import { findCredentials, WRANGLER_VERSION, wranglerLine } from "../cloudflare/wrangler.ts";
import type { Io } from "../io.ts";
import { PNPM_VERSION, WORKER_FOLDER } from "../setup/scaffold.ts";
import type { StateStore } from "../setup/state.ts";
import { ok, type Check, type Finding } from "./check.ts";

/** The part of wrangler.toml that is checked. */
interface WorkerConfig {
  readonly durable_objects: {
    readonly bindings: readonly { readonly class_name: string; readonly script_name?: string }[];
  };
  readonly migrations: readonly Migration[];
}

interface Migration {
  readonly tag: string;
  readonly new_sqlite_classes?: readonly string[];
  readonly new_classes?: readonly string[];
  readonly renamed_classes?: readonly { readonly from: string; readonly to: string }[];
  readonly deleted_classes?: readonly string[];
}

export function folderChecks(io: Io, store: StateStore): readonly Check[] {
  const worker = join(store.folder, WORKER_FOLDER);
  const { account, name } = store.state.answers;
  const connect = async (): Promise<CloudflareApi> =>
    new CloudflareApi({ credentials: await findCredentials(io, worker), env: io.env, signal: io.signal });
  return [
    { id: "wrangler", run: async () => checkWrangler(worker) },
    { id: "login", run: async () => checkLogin(await connect(), account) },
    { id: "bindings", run: () => checkBindings(io, worker) },
    { id: "migrations", run: async () => checkMigrations(await readConfig(worker)) },
    { id: "deployed", run: async () => checkDeployed(await connect(), account, name) },
    {
      id: "applied",
      run: async () => checkApplied(await (await connect()).findWorker(account, name), await readConfig(worker)),
    },
    { id: "secrets", run: async () => checkSecrets(await connect(), account, name) },
  ];
}

function checkWrangler(worker: string): Finding {
  const path = join(worker, "node_modules/wrangler/package.json");
  if (!existsSync(path)) return fail("wrangler is not installed.", "run npx pnpm install in the folder");
  const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
  if (version === WRANGLER_VERSION) return ok(version);
  const detail = `The version is ${version}, but this tool was tested with ${WRANGLER_VERSION}.`;
  return { status: "warn", detail, fix: "run durable-streams setup for the folder" };
}

async function checkLogin(api: CloudflareApi, account: string): Promise<Finding> {
  const accounts = await api.accounts();
  const found = accounts.find(({ id }) => id === account);
  return found === undefined
    ? fail(
        `The login has no access to the account ${account}.`,
        "run npx wrangler login, or set another CLOUDFLARE_API_TOKEN",
      )
    : ok(found.name);
}

/** When it bundles, wrangler itself compares the bindings with the exports of the Worker. */
async function checkBindings(io: Io, worker: string): Promise<Finding> {
  const outDir = mkdtempSync(join(tmpdir(), "durable-streams-doctor-"));
  try {
    const line = wranglerLine(worker, ["deploy", "--dry-run", "--outdir", outDir]);
    await runCommand(io, line, `correct ${WORKER_FOLDER}/wrangler.toml or the exports of src/worker.ts`);
    return ok("The Worker can be bundled and exports every class that its bindings name.");
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

async function readConfig(worker: string): Promise<WorkerConfig> {
  const path = createRequire(join(worker, "package.json")).resolve("wrangler");
  const wrangler = (await import(pathToFileURL(path).href)) as {
    unstable_readConfig(args: { config: string }): WorkerConfig;
  };
  return wrangler.unstable_readConfig({ config: join(worker, "wrangler.toml") });
}

/** Every class of a binding must be created by a migration, and no tag may be used twice. */
function checkMigrations({ durable_objects: objects, migrations }: WorkerConfig): Finding {
  const tags = migrations.map(({ tag }) => tag);
  const repeated = tags.find((tag, index) => tags.indexOf(tag) !== index);
  if (repeated !== undefined)
    return fail(`The tag ${repeated} is used twice.`, "give the newer migration a tag of its own");
  const classes = new Set<string>();
  for (const migration of migrations) {
    const { new_sqlite_classes: sqlite = [], new_classes: others = [], renamed_classes: renamed = [] } = migration;
    for (const made of [...sqlite, ...others, ...renamed.map(({ to }) => to)]) classes.add(made);
    for (const gone of [...(migration.deleted_classes ?? []), ...renamed.map(({ from }) => from)]) classes.delete(gone);
  }
  const missing = objects.bindings.filter((each) => each.script_name === undefined && !classes.has(each.class_name));
  if (missing.length === 0) return ok(`${tags.length} in total; the last one is ${tags.at(-1)}.`);
  const names = missing.map((each) => each.class_name).join(", ");
  return fail(`No migration creates ${names}.`, `add [[migrations]] with a new tag and new_sqlite_classes = ["…"]`);
}

async function checkDeployed(api: CloudflareApi, account: string, name: string): Promise<Finding> {
  if (await api.hasWorker(account, name)) return ok(name);
  return fail(`The account has no Worker ${name}.`, "run durable-streams setup for the folder");
}

/** The classes that the configuration needs exist only after its last migration has been applied. */
export function checkApplied(deployed: DeployedWorker | undefined, { migrations }: WorkerConfig): Finding {
  if (deployed === undefined) return { status: "skip", detail: "This check needs a deployed Worker." };
  const tags = migrations.map(({ tag }) => tag);
  const { migrationTag: applied } = deployed;
  const last = tags.at(-1);
  if (applied === last) return ok(last === undefined ? "There are no migrations." : `${last} is applied.`);
  if (applied !== undefined && !tags.includes(applied)) {
    const detail = `The deployed Worker has the migration ${applied}, which wrangler.toml lacks: another version was deployed.`;
    return fail(
      detail,
      "run npx @durable-streams-cloudflare/cli@latest setup . in the folder, or add that migration to wrangler.toml",
    );
  }
  const has = applied === undefined ? "has no migration" : `is at migration ${applied}`;
  const detail = `The deployed Worker ${has}, but wrangler.toml is at ${last}: newer classes are missing.`;
  return fail(detail, `run npx pnpm@${PNPM_VERSION} run deploy in the folder`);
}

async function checkSecrets(api: CloudflareApi, account: string, name: string): Promise<Finding> {
  const names = await api.secretNames(account, name);
  if (names.includes("ADMIN_SECRET")) return ok(names.join(", "));
  return fail("ADMIN_SECRET is not set, so nobody can create a project.", "run npx wrangler secret put ADMIN_SECRET");
}

function fail(detail: string, fix: string): Finding {
  return { status: "fail", detail, fix };
}
