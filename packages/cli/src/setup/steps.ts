/** The steps of a setup, in order. Each one can be interrupted anywhere and carried out again. */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { runCommand } from "../cloudflare/run-command.ts";
import { wranglerLine, wranglerPath } from "../cloudflare/wrangler.ts";
import { ENVIRONMENT } from "../connection.ts";
import { CliError, EXIT } from "../failure.ts";
import { readProfiles, writeProfile } from "../profiles.ts";
import { isFromSource } from "../version.ts";
import type { Answers } from "./answers.ts";
import {
  areWritten,
  configFiles,
  hashOfFiles,
  PNPM_VERSION,
  scaffoldFiles,
  WORKER_FOLDER,
  writeFiles,
} from "./scaffold.ts";
import type { StateStore } from "./state.ts";
import { adminServer, reveal, workerFolder, type World } from "./world.ts";

export interface Step {
  readonly id: string;
  /** What the step does, in the imperative. */
  readonly title: (answers: Answers) => string;
  /** Whether the step is needed; by default, it is. */
  readonly applies?: (answers: Answers) => boolean;
  /** Whether the step takes so long that a clock is shown. */
  readonly isLong?: true;
  /** Whether the step is already done. */
  readonly check: (world: World) => Promise<boolean>;
  readonly act: (world: World) => Promise<void>;
}

/** How long a new version may take to be deployed everywhere. */
const READY_MS = 120_000;
const POLL_MS = 1_000;

const ADMIN_SECRET = "ADMIN_SECRET";

/** Files that determine what is installed, and what is deployed. */
const INSTALL_FILES = ["package.json", "pnpm-workspace.yaml", `${WORKER_FOLDER}/package.json`];
const DEPLOY_FILES = [...INSTALL_FILES, `${WORKER_FOLDER}/wrangler.toml`, `${WORKER_FOLDER}/src/worker.ts`];

const STEPS: readonly Step[] = [
  {
    id: "claim",
    title: ({ name }) => `check that no other Worker is called ${name}`,
    check: async ({ store }) => store.state.isOwner === true,
    act: claim,
  },
  {
    id: "scaffold",
    title: () => "create the workspace",
    check: async (world) => areWritten(world.store, scaffoldFiles(inputOf(world))),
    act: async (world) => warnKept(world, writeFiles(world.store, scaffoldFiles(inputOf(world)))),
  },
  {
    id: "install",
    isLong: true,
    title: () => "install the packages",
    check: async (world) => {
      const { folder, state } = world.store;
      return existsSync(wranglerPath(workerFolder(world))) && state.installed === hashOfFiles(folder, INSTALL_FILES);
    },
    act: install,
  },
  {
    id: "bucket",
    title: ({ bucket, region }) => `create the R2 bucket ${bucket}${region === "auto" ? "" : ` in ${region}`}`,
    applies: ({ bucket }) => bucket !== null,
    check: ({ api, store }) => api.hasBucket(store.state.answers.account, store.state.answers.bucket ?? ""),
    act: ({ api, store }) => {
      const { account, bucket, region } = store.state.answers;
      store.markMade("bucket");
      return api.createBucket(account, bucket ?? "", region === "auto" ? undefined : region);
    },
  },
  {
    id: "namespace",
    title: ({ namespace }) => `create the KV namespace ${namespace}`,
    check: checkNamespace,
    act: async ({ api, store }) => {
      const { account, namespace } = store.state.answers;
      store.markMade("namespace");
      store.update({ namespaceId: await api.createNamespace(account, namespace) });
    },
  },
  {
    id: "queue",
    title: ({ queue }) => `create the queue ${queue}`,
    applies: ({ queue }) => queue !== null,
    check: async ({ api, store }) => {
      const { account, queue } = store.state.answers;
      return (await api.findQueue(account, queue ?? "")) !== undefined;
    },
    act: ({ api, store }) => {
      const { account, queue } = store.state.answers;
      store.markMade("queue");
      return api.createQueue(account, queue ?? "");
    },
  },
  {
    id: "configure",
    title: () => `write ${WORKER_FOLDER}/wrangler.toml`,
    check: async (world) => areWritten(world.store, configFiles(configOf(world))),
    act: async (world) => warnKept(world, writeFiles(world.store, configFiles(configOf(world)))),
  },
  {
    id: "address",
    title: ({ domain }) => `find the server's URL at ${domain ?? "workers.dev"}`,
    check: async ({ store, url }) => store.state.url !== undefined && (url ?? store.state.url) === store.state.url,
    act: findAddress,
  },
  {
    id: "deploy",
    isLong: true,
    title: ({ name }) => `deploy the Worker ${name}`,
    check: async ({ api, store }) => {
      const { answers, deployed } = store.state;
      if (deployed !== hashOfFiles(store.folder, DEPLOY_FILES)) return false;
      return api.hasWorker(answers.account, answers.name);
    },
    act: deploy,
  },
  { id: "secret", title: () => `set ${ADMIN_SECRET} and show it`, check: checkSecret, act: setSecret },
  { id: "smoke", isLong: true, title: () => "wait until the server answers", check: async () => false, act: smoke },
  {
    id: "project",
    title: ({ firstProject }) => `create the project ${firstProject} and show its secret`,
    applies: ({ firstProject }) => firstProject !== null,
    check: async ({ store }) => store.state.shownProject === store.state.answers.firstProject,
    act: makeProject,
  },
  {
    id: "profile",
    title: ({ name }) => `save the server as the profile ${name}`,
    check: checkProfile,
    act: setProfile,
  },
];

/** The steps that these answers need. */
export function stepsFor(answers: Answers): readonly Step[] {
  return STEPS.filter(({ applies }) => applies?.(answers) ?? true);
}

async function claim({ api, store }: World): Promise<void> {
  const { account, name } = store.state.answers;
  if (await api.hasWorker(account, name)) {
    throw new CliError(`The account already has a Worker called ${name}.`, {
      code: "worker-exists",
      why: `This setup did not create it: ${store.folder} has no record of it.`,
      fix: "use another --name, or run setup in the folder from which that Worker was set up",
    });
  }
  store.update({ isOwner: true });
}

function inputOf({ store, serverPackage }: World) {
  return { answers: store.state.answers, serverPackage };
}

function configOf(world: World) {
  return { ...inputOf(world), namespaceId: world.store.state.namespaceId ?? "" };
}

function warnKept({ output }: World, kept: readonly string[]): void {
  for (const path of kept) output.warn(`${path} was changed after setup wrote it, so setup does not overwrite it.`);
}

const INSTALL_FIX = isFromSource()
  ? "until the packages are on npm, run npm run pack -- /tmp/durable-streams and add --server-package /tmp/durable-streams"
  : "check the network connection";

async function install({ io, store }: World): Promise<void> {
  const args = ["--yes", `pnpm@${PNPM_VERSION}`, "install"];
  await runCommand(io, { command: "npx", args, cwd: store.folder }, INSTALL_FIX);
  store.update({ installed: hashOfFiles(store.folder, INSTALL_FILES) });
}

/** Finds the namespace by its title, in case an interrupted run created it without recording its id. */
async function checkNamespace({ api, store }: World): Promise<boolean> {
  const { account, namespace } = store.state.answers;
  const id = await api.findNamespace(account, namespace);
  if (id !== store.state.namespaceId && id !== undefined) store.update({ namespaceId: id });
  return id !== undefined;
}

async function findAddress({ api, store, url }: World): Promise<void> {
  const { account, name, domain } = store.state.answers;
  if (url !== undefined || domain !== null) return store.update({ url: url ?? `https://${domain}` });
  const subdomain = await api.subdomain(account);
  if (subdomain === undefined) {
    throw new CliError("The account has no workers.dev subdomain yet.", {
      code: "no-subdomain",
      fix: `open https://dash.cloudflare.com/${account}/workers/onboarding once, or use --domain`,
    });
  }
  store.update({ url: `https://${name}.${subdomain}.workers.dev` });
}

async function deploy(world: World): Promise<void> {
  const { io, store } = world;
  const hash = hashOfFiles(store.folder, DEPLOY_FILES);
  await runCommand(io, wranglerLine(workerFolder(world), ["deploy"]), "correct the cause");
  store.update({ deployed: hash });
}

/**
 * A secret that was already shown is replaced only if the project still has to be created and the secret was not passed in
 * again: without it, the project cannot be created.
 */
async function checkSecret({ api, store, adminSecret }: World): Promise<boolean> {
  const { answers, isAdminSecretShown, shownProject } = store.state;
  const isNeeded = answers.firstProject !== null && answers.firstProject !== shownProject;
  if (isAdminSecretShown !== true || (isNeeded && adminSecret === undefined)) return false;
  return (await api.secretNames(answers.account, answers.name)).includes(ADMIN_SECRET);
}

async function setSecret(world: World): Promise<void> {
  const { api, store } = world;
  const { account, name } = store.state.answers;
  const secret = world.adminSecret ?? randomBytes(32).toString("base64url");
  await api.putSecret(account, name, ADMIN_SECRET, secret);
  if (world.adminSecret === undefined) await reveal(world, { [ENVIRONMENT.adminSecret]: secret });
  world.adminSecret = secret;
  store.update({ isAdminSecretShown: true });
}

/** Waits until the server answers and knows the secret. Both may take a while to be deployed everywhere. */
async function smoke(world: World): Promise<void> {
  const server = adminServer(world);
  const end = Date.now() + READY_MS;
  for (;;) {
    try {
      await server.send("GET", "/readyz");
      if (world.adminSecret === undefined) return;
      await server.send("GET", "/v1/projects", { headers: server.projectAuthorization(), query: { limit: "1" } });
      return;
    } catch (error) {
      if (!(error instanceof CliError) || Date.now() > end) throw error;
      await delay(POLL_MS, undefined, { signal: world.io.signal });
    }
  }
}

/** If the project already exists but its secret was never shown, it gets another secret. */
async function makeProject(world: World): Promise<void> {
  const server = adminServer(world);
  const headers = server.projectAuthorization();
  const name = world.store.state.answers.firstProject ?? "";
  const made = await server
    .sendJson<{ secret: { secret: string } }>("POST", "/v1/projects", { headers, json: { name } })
    .catch((error: unknown) => {
      if (!(error instanceof CliError) || error.code !== "project-exists") throw error;
      return server.sendJson<{ secret: { secret: string } }>("POST", `/v1/projects/${name}/secrets`, {
        headers,
        json: {},
      });
    });
  // On a server with a single project, stream names do not include the project.
  const project = world.store.state.answers.tenancy === "path" ? { [ENVIRONMENT.project]: name } : {};
  await reveal(world, { ...project, [ENVIRONMENT.secret]: made.secret.secret });
  world.store.update({ shownProject: name });
}

/** The profile for this setup. */
function profileOf(store: StateStore): { url: string; project?: string } {
  const { url = "", answers } = store.state;
  // On a server with a single project, stream names do not include the project.
  const hasProject = answers.tenancy === "path" && answers.firstProject !== null;
  return hasProject ? { url, project: answers.firstProject } : { url };
}

async function checkProfile({ io, store }: World): Promise<boolean> {
  return JSON.stringify(readProfiles(io.env)[store.state.answers.name]) === JSON.stringify(profileOf(store));
}

async function setProfile({ io, store }: World): Promise<void> {
  const { name } = store.state.answers;
  writeProfile(io.env, name, profileOf(store));
  if (readProfiles(io.env)["default"] === undefined) writeProfile(io.env, "default", profileOf(store));
}

/** Checks the requirements of setup. @throws CliError */
export function checkNode(version: string, platform: string = process.platform): void {
  if (platform === "win32") {
    throw new CliError("On Windows, this command runs only in WSL.", {
      code: "system-unsupported",
      fix: "install WSL and run the same command there: https://learn.microsoft.com/windows/wsl/install",
      exitCode: EXIT.usage,
    });
  }
  if (Number(version.split(".")[0]) >= 22) return;
  throw new CliError(`wrangler needs Node.js 22 or newer, but this is ${version}.`, {
    code: "node-too-old",
    fix: "install Node.js 22 or newer: https://nodejs.org",
    exitCode: EXIT.usage,
  });
}
