import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";

import { Failure } from "./failure.ts";
import { fingerprint, haveChangedSince, isCurrent, type Fingerprint } from "./fingerprint.ts";
import type { WorkerBundle, WorkerConfig } from "./worker-bundle.ts";

interface CachedBundle extends WorkerBundle {
  readonly inputs: Fingerprint;
}

/** Files other than the sources that determine the bundle and its options. */
const CONFIG_FILES = ["wrangler.toml", ".dev.vars", "pnpm-lock.yaml", "packages/local/src/bundle.ts"];

/** The Worker of wrangler.toml, plus the entry point that the launcher calls. */
const ENTRY = "packages/local/src/worker/main.ts";

/** The server must start without a network: no telemetry, no check for a newer wrangler. */
const WRANGLER_ENVIRONMENT = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_LOG: "warn",
  CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: "false",
};

/**
 * The Worker as `wrangler deploy` would upload it, and its configuration. Loading wrangler and bundling takes two
 * seconds, so the result is kept until one of its input files changes.
 */
export async function loadBundle(root: string): Promise<WorkerBundle> {
  const cachePath = join(root, "node_modules/.cache/durable-streams-local/bundle.json");
  const cached = readCache(cachePath);
  if (cached !== undefined && isCurrent(root, cached.inputs)) return cached;
  const startedAt = Date.now();
  const [built, config] = await Promise.all([bundleWorker(root), readLocalConfig(root)]);
  const paths = [...CONFIG_FILES, ...built.inputs];
  const bundle: CachedBundle = { script: built.script, config, inputs: fingerprint(root, paths) };
  // If a file was edited in the meantime, the bundle may have its old content and the fingerprint its new one.
  if (!haveChangedSince(root, paths, startedAt)) writeAtomically(cachePath, JSON.stringify(bundle));
  return bundle;
}

/** The Worker for publishing: like `loadBundle`, but without anything specific to this machine. */
export async function buildBundle(root: string): Promise<WorkerBundle> {
  const [{ script }, config] = await Promise.all([bundleWorker(root), readPublicConfig(root)]);
  return { script, config };
}

/** The configuration of wrangler.toml; its vars include those of .dev.vars, if that file exists. */
async function readLocalConfig(root: string): Promise<WorkerConfig> {
  Object.assign(process.env, WRANGLER_ENVIRONMENT);
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(root, "wrangler.toml"));
  // Miniflare does not bundle, so it needs no module rules; the root path is specific to this machine.
  const { modulesRules: _, rootPath: __, bindings, ...options } = workerOptions;
  return { options, vars: { ...(bindings as Record<string, unknown> | undefined) } };
}

/** The configuration of wrangler.toml alone: .dev.vars may hold secrets. */
export async function readPublicConfig(root: string): Promise<WorkerConfig> {
  const { options } = await readLocalConfig(root);
  const { unstable_readConfig } = await import("wrangler");
  const { vars } = unstable_readConfig({ config: join(root, "wrangler.toml") });
  return { options, vars };
}

async function bundleWorker(root: string): Promise<{ script: string; inputs: string[] }> {
  const outDir = mkdtempSync(join(tmpdir(), "durable-streams-bundle-"));
  try {
    const metafile = join(outDir, "meta.json");
    await runWrangler(root, ["deploy", ENTRY, "--dry-run", "--outdir", outDir, "--metafile", metafile]);
    return { script: readOnlyModule(outDir), inputs: readInputs(metafile) };
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

async function runWrangler(root: string, args: readonly string[]): Promise<void> {
  const require = createRequire(import.meta.url);
  const wrangler = join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js");
  const child = spawn(process.execPath, [wrangler, ...args], {
    cwd: root,
    env: { ...process.env, ...WRANGLER_ENVIRONMENT },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise((settle, fail) => child.once("error", fail).once("close", settle));
  if (code !== 0)
    throw new Failure(
      `The Worker cannot be bundled:\n${stripVTControlCharacters(output).trim()}`,
      "correct the errors above",
    );
}

function readOnlyModule(outDir: string): string {
  const modules = readdirSync(outDir).filter((name) => ![".map", ".md", ".json"].includes(extname(name)));
  const [only] = modules;
  if (only === undefined || modules.length > 1) {
    throw new Error(`The bundle must be one module, but it is ${modules.join(", ") || "empty"}`);
  }
  return readFileSync(join(outDir, only), "utf8");
}

function readInputs(metafile: string): string[] {
  const { inputs } = JSON.parse(readFileSync(metafile, "utf8")) as { inputs: Record<string, unknown> };
  return Object.keys(inputs);
}

function readCache(path: string): CachedBundle | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as CachedBundle;
  } catch {
    return undefined; // Not there yet.
  }
}

/** Two launchers may start at the same time; each must see a complete file. */
function writeAtomically(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `${basename(path)}.${process.pid}`);
  writeFileSync(temporary, text, { mode: 0o600 }); // The options include .dev.vars, which may hold secrets.
  renameSync(temporary, path);
}
