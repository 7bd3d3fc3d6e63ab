/**
 * Installs what is missing, before `npm start` and the like. JavaScript, because it runs before Node.js 24 is installed.
 * When everything is there, nobody is asked: npx would ask the registry for pnpm, and offline wait for a minute.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");

if (!isInstalled()) install();

/** Whether pnpm has installed, and to the end, what the lockfile and the manifests ask for. */
function isInstalled() {
  try {
    if (read("node_modules/.pnpm/lock.yaml") !== read("pnpm-lock.yaml")) return false;
    // Written when all else is done.
    const { lastValidatedTimestamp } = JSON.parse(read("node_modules/.pnpm-workspace-state-v1.json"));
    return manifests().every((path) => statSync(join(root, path)).mtimeMs <= lastValidatedTimestamp);
  } catch {
    return false;
  }
}

function install() {
  const [command, ...args] = pnpm();
  console.error(`Installing what is missing (${[command, ...args].join(" ")} install) …`);
  const { status, error } = spawnSync(command, [...args, "install"], { cwd: root, stdio: "inherit" });
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
