import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { engine, ENGINE_VARIABLE, type Engine } from "./engine.ts";

export interface ServerOptions {
  /** Keep it for a second start to find the same streams. */
  readonly dataDir: string;
  /** By default the one that the tests run on. */
  readonly engine?: Engine;
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** Settings by name, as `npm start -- --var`; those that are secrets go into the environment. */
  readonly vars?: Readonly<Record<string, string | number>>;
  /** What Node.js runs, and its first arguments; initially what `npm start` runs. */
  readonly program?: readonly string[];
  /** Flags of the launcher besides those. */
  readonly flags?: readonly string[];
  /** The directory that it runs in; initially that of the tests. */
  readonly cwd?: string;
  /** Variables of its environment besides those of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it says only what went wrong; so unless said otherwise. */
  readonly isQuiet?: boolean;
  /** How many files the server may open at the most; initially as many as this process. */
  readonly filesMax?: number;
}

export interface ServerProcess {
  readonly url: string;
  /** Of the launcher, whose child workerd is; of the server itself on the engine `node`. */
  readonly pid: number;
  readonly dataDir: string;
  /** Of Prometheus's page, with `--metrics-port`. */
  readonly metricsUrl: string | undefined;
  /** Of the process that serves requests: the workerd that runs now, or the server itself on the engine `node`. */
  servingPid(): number;
  /** What the server has written to stderr: its log lines. */
  log(): string;
  /** Ends the server as Ctrl-C does; the launcher's exit code. */
  stop(): Promise<number | null>;
  /** Kills all processes of the server at once, as a power cut would; returns when nothing listens any more. */
  kill9(): Promise<void>;
}

const LAUNCHER = fileURLToPath(new URL("../../local/src/main.ts", import.meta.url));
const POLL_MS = 5;

/**
 * Starts the server that `npm start` starts, and returns once it is ready.
 * @throws Error with what the launcher said, when it ends instead.
 */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const {
    dataDir,
    port = 0,
    vars = {},
    program = [LAUNCHER],
    flags: more = [],
    isQuiet = true,
    filesMax,
    cwd,
  } = options;
  const secrets = Object.entries(vars).filter(([name]) => name.endsWith("_SECRET"));
  const variables = Object.entries(vars)
    .filter(([name]) => !name.endsWith("_SECRET"))
    .flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const { [ENGINE_VARIABLE]: _, ...environment } = process.env;
  const ofSecrets = Object.fromEntries(secrets.map(([name, value]) => [name, String(value)]));
  const env = { ...environment, ...ofSecrets, ...options.env };
  const flags = [
    "--engine",
    options.engine ?? engine(),
    "--port",
    String(port),
    "--data-dir",
    dataDir,
    "--ready-json",
    ...variables,
    ...more,
  ];
  if (isQuiet) flags.push("--quiet");
  const limit = filesMax === undefined ? "" : `ulimit -n ${filesMax} && `;
  const command = [process.execPath, ...program, ...flags];
  const child = spawn("sh", ["-c", `${limit}exec "$@"`, "sh", ...command], {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killWithTests = (): void => void child.kill("SIGKILL");
  process.once("exit", killWithTests);
  const exited = once(child, "exit").finally(() => process.removeListener("exit", killWithTests));
  const closed = once(child, "close");
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));

  const ready = await Promise.race([readReadyLine(child), exited.then(() => undefined)]);
  if (ready === undefined) {
    // Its output may end before it does.
    await closed;
    throw new Error(`the server ended with exit code ${child.exitCode}:\n${log}`);
  }
  const { url, pid, metricsUrl } = ready;
  return {
    url,
    pid,
    dataDir,
    metricsUrl,
    servingPid: () => readWorkerdPid(dataDir) ?? pid,
    log: () => log,
    stop: async () => {
      child.kill("SIGTERM");
      // What it has said last may come after its end.
      await closed;
      return child.exitCode;
    },
    kill9: async () => {
      const workerd = readWorkerdPid(dataDir);
      child.kill("SIGKILL");
      if (workerd !== undefined) killIfAlive(workerd);
      await exited;
      while (await isListening(url)) await delay(POLL_MS);
    },
  };
}

interface ReadyLine {
  readonly url: string;
  readonly pid: number;
  readonly metricsUrl?: string;
}

async function readReadyLine(child: ChildProcess): Promise<ReadyLine | undefined> {
  if (child.stdout === null) return undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("{")) return JSON.parse(line) as ReadyLine;
  }
  return undefined;
}

/** The launcher keeps this file up to date; workerd gets another number when it is restarted after a crash. */
function readWorkerdPid(dataDir: string): number | undefined {
  const path = join(dataDir, "workerd");
  return existsSync(path) ? Number(readFileSync(path, "utf8").split("\n", 1)[0]) : undefined;
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The launcher's guard was faster.
  }
}

/** A dead process may stay in the process table until its parent asks for it; its port is free at once. */
async function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
