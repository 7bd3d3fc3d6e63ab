/**
 * Installs what is missing, before `npm start` and the like. JavaScript, because it runs before Node.js 24 is installed.
 * When everything is there, nobody is asked: npx would ask the registry for pnpm, and offline wait for a minute.
 *
 * There are two amounts: `EVERYTHING`, and what the server and the command-line tool need to run (`RUNNING`), which is a small
 * part of it. Either may follow the other. Who has everything keeps it.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const EVERYTHING = "everything";
export const RUNNING = "what running needs";

const root = fileURLToPath(new URL("..", import.meta.url));
const isWindows = process.platform === "win32";

/** The Node.js that is installed where this one is too old. */
export const NODE_OF_WORKSPACE = join(root, "node_modules/node/bin", isWindows ? "node.exe" : "node");

/** What pnpm has installed: its own copy of the lockfile, and the state that it writes when all else is done. */
const INSTALLED_LOCKFILE = "node_modules/.pnpm/lock.yaml";
const PNPM_STATE = "node_modules/.pnpm-workspace-state-v1.json";
/** Written after an install of `RUNNING`: from which lockfile to which. */
const RUNNING_STATE = "node_modules/.installed-for-running";

/** Of SQLite inside Node.js, the first version that can tell how long its write-ahead log is. */
const SQLITE_MIN = [3, 51];

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) install(EVERYTHING);

/**
 * Whether a Node.js can run the server from its sources: it reads TypeScript, and its SQLite is new enough.
 * @param node initially this one
 */
export function isNewEnough({ versions, features } = process) {
  if (features.typescript !== "strip") return false;
  const [major = 0, minor = 0] = (versions.sqlite ?? "0").split(".").map(Number);
  return major > SQLITE_MIN[0] || (major === SQLITE_MIN[0] && minor >= SQLITE_MIN[1]);
}

/** Installs what is missing of an amount, and ends this process when that fails. */
export function install(amount) {
  if (hasEverything() || (amount === RUNNING && canRun())) return;
  const all = amount === EVERYTHING || isOnceFull();
  // An install that is interrupted has then left no sign that it was done.
  for (const path of [RUNNING_STATE, PNPM_STATE]) rmSync(join(root, path), { force: true });
  runPnpm(all ? [] : runningOnly());
  requireNode();
  if (!all) writeFileSync(join(root, RUNNING_STATE), runningState());
}

/** Whether pnpm has installed, and to the end, what the lockfile and the manifests ask for. */
function hasEverything() {
  try {
    return read(INSTALLED_LOCKFILE) === read("pnpm-lock.yaml") && isOnceFull() && isNewerThanManifests();
  } catch {
    return false;
  }
}

function canRun() {
  try {
    const hasNode = isNewEnough() || existsSync(NODE_OF_WORKSPACE);
    return hasNode && read(RUNNING_STATE) === runningState() && isNewerThanManifests();
  } catch {
    return false;
  }
}

/** Nobody who runs tests is to lose the tools because a dependency has changed. */
function isOnceFull() {
  try {
    return JSON.parse(read(PNPM_STATE)).filteredInstall !== true;
  } catch {
    return false;
  }
}

function isNewerThanManifests() {
  const { lastValidatedTimestamp } = JSON.parse(read(PNPM_STATE));
  return manifests().every((path) => statSync(join(root, path)).mtimeMs <= lastValidatedTimestamp);
}

/**
 * Without what only development needs. The one optional dependency is Node.js itself. The lockfile is taken as it is: comparing
 * all of its packages with the registry takes longer than all else, and whoever changes it has done that.
 */
function runningOnly() {
  const asItIs = ["--frozen-lockfile", "--config.minimumReleaseAge=0", "--config.trustPolicy=off"];
  // Otherwise pnpm keeps a second copy of Node.js.
  const once = "--config.sideEffectsCache=false";
  const node = isNewEnough() && !isOfWorkspace() ? ["--no-optional"] : [];
  return [...asItIs, once, "--prod", ...node, "--filter-prod", "@durable-streams-cloudflare/cli..."];
}

/** npm puts the programs of the workspace first in the PATH of a script. */
function isOfWorkspace() {
  return process.execPath.startsWith(join(root, "node_modules"));
}

/** pnpm goes on without an optional dependency that cannot be installed. */
function requireNode() {
  if (existsSync(NODE_OF_WORKSPACE)) return removeHeaders();
  if (isNewEnough()) return;
  console.error("✗ The package node could not be installed.\n  Fix: install Node.js 24: https://nodejs.org");
  process.exit(1);
}

/** A third of the package node is for compiling add-ons, which nothing here has. */
function removeHeaders() {
  const packages = join(realpathSync(join(root, "node_modules/node")), "node_modules");
  for (const name of existsSync(packages) ? readdirSync(packages) : []) {
    const headers = join(packages, name, "include");
    if (existsSync(headers)) rmSync(headers, { recursive: true });
  }
}

/** Changes with the lockfile, and with every other install. */
function runningState() {
  const hash = createHash("sha256").update(read("pnpm-lock.yaml")).update("\0").update(read(INSTALLED_LOCKFILE));
  return `${hash.digest("hex")}\n`;
}

function runPnpm(flags) {
  const [command, ...args] = [...pnpm(), "install", ...flags];
  console.error(`Installing what is missing (${[command, ...args].join(" ")}) …`);
  // Stdout belongs to the program that is started afterwards. On Windows, npx is a script for its shell.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["inherit", 2, 2], shell: isWindows });
  if (error !== undefined)
    console.error(`${command} cannot be run: ${error.message}\n  Fix: install npm, which comes with Node.js.`);
  if (status !== 0) process.exit(status ?? 1);
}

/** `PNPM_COMMAND`: where the workflows have corepack check pnpm against its hash in package.json. */
function pnpm() {
  if (process.env.PNPM_COMMAND) return process.env.PNPM_COMMAND.split(" ");
  const [version] = JSON.parse(read("package.json")).packageManager.split("+");
  return ["npx", "--yes", "--prefer-offline", version];
}

function manifests() {
  const packages = readdirSync(join(root, "packages")).map((name) => `packages/${name}/package.json`);
  return ["package.json", "pnpm-workspace.yaml", ...packages].filter((path) => existsSync(join(root, path)));
}

function read(path) {
  return readFileSync(join(root, path), "utf8");
}
