import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { loadBundle } from "@durable-streams-cloudflare/local/bundle";
import { reservePort } from "@durable-streams-cloudflare/local/port";
import { WORKER_NAME } from "@durable-streams-cloudflare/local/worker-name";
import { WORKERD_PATH } from "@durable-streams-cloudflare/local/workerd-path";

import { processTarget, type Target } from "./target.ts";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const LEAST_WORKER = new URL("least-worker.js", import.meta.url);
const READY_LIMIT_MS = 10_000;

/** The Worker that workerd runs. */
interface Program {
  readonly script: string;
  readonly options: BareOptions;
  readonly vars: Readonly<Record<string, unknown>>;
}

/** The part of the options that workerd supports without Miniflare. */
interface BareOptions {
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly durableObjects: Readonly<Record<string, { readonly className: string }>>;
}

/** More objects than a measurement uses. */
const OPEN_OBJECTS_MAX = 1_000_000;

/**
 * Runs the Worker on plain `workerd serve`, to compare `npm start` with. Only vars, Durable Objects and the service that shows
 * the objects' files are bound, because workerd itself has no R2, KV or Queues. There is no launcher, so the Worker takes the
 * disk for healthy.
 */
export async function startBareWorkerd(dataDir: string): Promise<Target> {
  const { script, config } = await loadBundle(ROOT);
  // Their own type is `unknown` for each.
  const options = config.options as unknown as BareOptions;
  const vars = { ...config.vars, TENANCY: "single", AUTH_MODE: "none", OPEN_OBJECTS_MAX };
  return startWorkerd(dataDir, { script, options, vars });
}

/** A minimal program (`least-worker.js`): its throughput is the maximum with one call to an object per request. */
export async function startLeastProgram(dataDir: string): Promise<Target> {
  const { config } = await loadBundle(ROOT);
  const options = config.options as unknown as BareOptions;
  const durableObjects = { LEAST: { className: "LeastDO" } };
  const script = readFileSync(LEAST_WORKER, "utf8");
  return startWorkerd(dataDir, { script, options: { ...options, durableObjects }, vars: {} });
}

async function startWorkerd(dataDir: string, program: Program): Promise<Target> {
  const port = await reservePort("127.0.0.1", 0);
  mkdirSync(join(dataDir, "objects"), { recursive: true });
  writeFileSync(join(dataDir, "worker.js"), program.script);
  const configPath = join(dataDir, "config.capnp");
  writeFileSync(configPath, formatConfig(program, port));
  const flags = ["serve", "--experimental", `--directory-path=objects=${join(dataDir, "objects")}`, configPath];
  const child = spawn(WORKERD_PATH, flags, { stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child);
  return processTarget(url, child);
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + READY_LIMIT_MS;
  while (
    !(await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`workerd ended with exit code ${child.exitCode}`);
    if (performance.now() > end) {
      child.kill("SIGKILL");
      throw new Error(`workerd was not ready within ${READY_LIMIT_MS} ms`);
    }
    await delay(25);
  }
}

function formatConfig({ options, vars }: Program, port: number): string {
  const objects = Object.entries(options.durableObjects);
  const bindings = [
    ...objects.map(
      ([binding, { className }]) => `(name = ${quote(binding)}, durableObjectNamespace = ${quote(className)})`,
    ),
    ...Object.entries(vars).map(([name, value]) => `(name = ${quote(name)}, ${formatVar(value)})`),
    `(name = "OBJECT_FILES", service = "objects")`,
  ];
  const classes = new Set(objects.map(([, { className }]) => className));
  const namespaces = [...classes].map(
    (className) => `(className = ${quote(className)}, uniqueKey = ${quote(folderOf(className))}, enableSql = true)`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = ${quote(options.compatibilityDate)},
      compatibilityFlags = [${options.compatibilityFlags.map(quote).join(", ")}],
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "objects", disk = (writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`;
}

/** The folder of a class's objects, as Miniflare names it and the Worker looks for their files. */
function folderOf(className: string): string {
  return `${WORKER_NAME}-${className}`;
}

function formatVar(value: unknown): string {
  return typeof value === "string" ? `text = ${quote(value)}` : `json = ${quote(JSON.stringify(value))}`;
}

/** Cap'n Proto text has the escapes of JSON except \\u. */
function quote(text: string): string {
  return JSON.stringify(text);
}
