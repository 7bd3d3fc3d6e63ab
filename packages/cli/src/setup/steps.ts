/** What a setup does, in order. Each step can be cut off anywhere and carried out again. */

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
  /** What it does, as a sentence without its subject. */
  readonly title: (answers: Answers) => string;
  /** Whether it has to be there at all. */
  readonly applies?: (answers: Answers) => boolean;
  /** Whether it takes so long that one wonders. */
  readonly isLong?: true;
  /** Whether there is nothing left to do. */
  readonly check: (world: World) => Promise<boolean>;
  readonly act: (world: World) => Promise<void>;
}

/** How long a new version may take to arrive everywhere. */
const READY_MS = 120_000;
const POLL_MS = 1_000;

const ADMIN_SECRET = "ADMIN_SECRET";

/** Files that decide what is installed, and what is deployed. */
const INSTALL_FILES = ["package.json", "pnpm-workspace.yaml", `${WORKER_FOLDER}/package.json`];
const DEPLOY_FILES = [...INSTALL_FILES, `${WORKER_FOLDER}/wrangler.toml`, `${WORKER_FOLDER}/src/worker.ts`];

const STEPS: readonly Step[] = [
  {
    id: "claim",
    title: ({ name }) => `make sure that the Worker ${name} is nobody else's`,
    check: async ({ store }) => store.state.isOwner === true,
    act: claim,
  },
  {
    id: "scaffold",
    title: () => "write the workspace",
    check: async (world) => areWritten(world.store, scaffoldFiles(inputOf(world))),
    act: async (world) => warnKept(world, writeFiles(world.store, scaffoldFiles(inputOf(world)))),
  },
  {
    id: "install",
    isLong: true,
    title: () => "install its packages",
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
    title: ({ domain }) => `find its address ${domain === null ? "at workers.dev" : `at ${domain}`}`,
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
  { id: "secret", title: () => `set ${ADMIN_SECRET}, and show it`, check: checkSecret, act: setSecret },
  { id: "smoke", isLong: true, title: () => "see that it answers", check: async () => false, act: smoke },
  {
    id: "project",
    title: ({ firstProject }) => `create the project ${firstProject}, and show its secret`,
    applies: ({ firstProject }) => firstProject !== null,
    check: async ({ store }) => store.state.shownProject === store.state.answers.firstProject,
    act: makeProject,
  },
  { id: "profile", title: ({ name }) => `remember it as the profile ${name}`, check: checkProfile, act: setProfile },
];

/** The steps that these answers need. */
export function stepsFor(answers: Answers): readonly Step[] {
  return STEPS.filter(({ applies }) => applies?.(answers) ?? true);
}

async function claim({ api, store }: World): Promise<void> {
  const { account, name } = store.state.answers;
  if (await api.hasWorker(account, name)) {
    throw new CliError(`The account has a Worker ${name} already.`, {
      code: "worker-exists",
      why: `This setup has not made it: there is nothing about it in ${store.folder}.`,
      fix: "--name ANOTHER, or run setup in the folder that it was set up in",
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
  for (const path of kept) output.warn(`${path} has been changed since setup wrote it, so it stays as it is.`);
}

const INSTALL_FIX = isFromSource()
  ? "until the packages are on npm: npm run pack -- /tmp/durable-streams, then add --server-package /tmp/durable-streams"
  : "check the network";

async function install({ io, store }: World): Promise<void> {
  const args = ["--yes", `pnpm@${PNPM_VERSION}`, "install"];
  await runCommand(io, { command: "npx", args, cwd: store.folder }, INSTALL_FIX);
  store.update({ installed: hashOfFiles(store.folder, INSTALL_FILES) });
}

/** A namespace that was made and not written down, because something was cut off, is found by its title. */
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
    throw new CliError("The account has no subdomain of workers.dev yet.", {
      code: "no-subdomain",
      fix: `open https://dash.cloudflare.com/${account}/workers/onboarding once, or give --domain`,
    });
  }
  store.update({ url: `https://${name}.${subdomain}.workers.dev` });
}

async function deploy(world: World): Promise<void> {
  const { io, store } = world;
  const hash = hashOfFiles(store.folder, DEPLOY_FILES);
  await runCommand(io, wranglerLine(workerFolder(world), ["deploy"]), "correct what it says");
  store.update({ deployed: hash });
}

/**
 * A secret that was shown is only made anew while the setup is not complete and nobody has given it back to us: the
 * project cannot be created without it.
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

/** The server answers, and knows the secret; both may take a while to arrive everywhere. */
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

/** A project whose secret nobody has seen gets another one. */
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
  // Where there is a single project, names of streams are not below it.
  const project = world.store.state.answers.tenancy === "path" ? { [ENVIRONMENT.project]: name } : {};
  await reveal(world, { ...project, [ENVIRONMENT.secret]: made.secret.secret });
  world.store.update({ shownProject: name });
}

/** What the profile of this setup is. */
function profileOf(store: StateStore): { url: string; project?: string } {
  const { url = "", answers } = store.state;
  // Where there is a single project, streams are not below it.
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

/** What must be true before anything is done. @throws CliError */
export function checkNode(version: string, platform: string = process.platform): void {
  if (platform === "win32") {
    throw new CliError("On Windows this runs in WSL only.", {
      code: "system-unsupported",
      fix: "install WSL, and run the same command there: https://learn.microsoft.com/windows/wsl/install",
      exitCode: EXIT.usage,
    });
  }
  if (Number(version.split(".")[0]) >= 22) return;
  throw new CliError(`wrangler needs Node.js 22 or newer; this is ${version}.`, {
    code: "node-too-old",
    fix: "install Node.js 22 or newer: https://nodejs.org",
    exitCode: EXIT.usage,
  });
}
