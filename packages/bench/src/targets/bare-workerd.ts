import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { loadBundle } from "@durable-streams-cloudflare/local/bundle";
import type { WorkerBundle } from "@durable-streams-cloudflare/local/worker-bundle";
import { WORKERD_PATH } from "@durable-streams-cloudflare/local/workerd-path";

import type { Target } from "./target.ts";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const READY_LIMIT_MS = 10_000;

/**
 * The Worker on `workerd serve` and nothing else: the mark that `npm start` is measured against. Only vars and Durable
 * Objects are bound; workerd has no R2, KV or Queues of its own.
 */
export async function startBareWorkerd(dataDir: string): Promise<Target> {
  const [bundle, port] = await Promise.all([loadBundle(ROOT), freePort()]);
  mkdirSync(join(dataDir, "objects"), { recursive: true });
  writeFileSync(join(dataDir, "worker.js"), bundle.script);
  const configPath = join(dataDir, "config.capnp");
  writeFileSync(configPath, formatConfig(bundle, port, { TENANCY: "single", AUTH_MODE: "none" }));
  const flags = ["serve", "--experimental", `--directory-path=objects=${join(dataDir, "objects")}`, configPath];
  const child = spawn(WORKERD_PATH, flags, { stdio: ["ignore", "ignore", "inherit"] });
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child);
  return {
    url,
    pids: () => (child.pid === undefined ? [] : [child.pid]),
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
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

/** The part of the options that workerd can do without Miniflare; their own type says `unknown` of each. */
interface BareOptions {
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly durableObjects: Readonly<Record<string, { readonly className: string }>>;
}

function formatConfig({ config }: WorkerBundle, port: number, overrides: Record<string, string>): string {
  const options = config.options as unknown as BareOptions;
  const objects = Object.entries(options.durableObjects);
  const bindings = [
    ...objects.map(
      ([binding, { className }]) => `(name = ${quote(binding)}, durableObjectNamespace = ${quote(className)})`,
    ),
    ...Object.entries({ ...config.vars, ...overrides }).map(
      ([name, value]) => `(name = ${quote(name)}, ${formatVar(value)})`,
    ),
  ];
  const classes = new Set(objects.map(([, { className }]) => className));
  const namespaces = [...classes].map(
    (className) => `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`,
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

function formatVar(value: unknown): string {
  return typeof value === "string" ? `text = ${quote(value)}` : `json = ${quote(JSON.stringify(value))}`;
}

/** Cap'n Proto text has the escapes of JSON, but for \\u. */
function quote(text: string): string {
  return JSON.stringify(text);
}
