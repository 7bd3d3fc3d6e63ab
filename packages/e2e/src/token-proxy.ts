/** A proxy of packages/proxy/trusted-header that verifies tokens, in front of a server with `AUTH_MODE=trusted-header`. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { reservePort } from "@durable-streams-cloudflare/local/port";

import { NGINX } from "./nginx.ts";

const SAMPLES = new URL("../../proxy/trusted-header/", import.meta.url);
const LOOPBACK = "127.0.0.1";
const LIMIT_MS = 30_000;

/** The programs that verify tokens by way of the validator. */
export type ProxyKind = "nginx" | "caddy";

interface Program {
  /** Where Debian's package puts it. */
  readonly path: string;
  readonly sample: string;
  readonly config: string;
  /** Ends it at once; Caddy would wait on SIGTERM for connections that clients keep. */
  readonly endsOn: "SIGTERM" | "SIGKILL";
  /** Its arguments in the directory with the configuration. */
  readonly flagsIn: (workDir: string) => readonly string[];
}

const PROGRAMS: Readonly<Record<ProxyKind, Program>> = {
  nginx: {
    path: NGINX,
    sample: "nginx.conf.template",
    config: "nginx.conf",
    // Its workers end with it.
    endsOn: "SIGTERM",
    flagsIn: (workDir) => ["-e", "stderr", "-p", workDir, "-c", "nginx.conf", "-g", "daemon off;"],
  },
  caddy: {
    path: "/usr/bin/caddy",
    sample: "Caddyfile",
    config: "Caddyfile",
    endsOn: "SIGKILL",
    flagsIn: () => ["run", "--config", "Caddyfile"],
  },
};

/** What the tokens of a test must be, and where their server is. */
export interface TokenProxyOptions {
  readonly server: string;
  readonly originSecret: string;
  readonly jwksUrl: string;
  readonly issuer: string;
  readonly audience: string;
}

export interface TokenProxy {
  /** Without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Whether the program is installed; says aloud when it is not. */
export function hasProxy(kind: ProxyKind): boolean {
  const { path } = PROGRAMS[kind];
  const isInstalled = existsSync(path);
  if (!isInstalled) process.stderr.write(`\n!! ${path} is not there: the tests of ${kind} are SKIPPED.\n\n`);
  return isInstalled;
}

/** Starts the sample as it is, but for its ports. */
export async function startTokenProxy(kind: ProxyKind, options: TokenProxyOptions): Promise<TokenProxy> {
  const workDir = mkdtempSync(join(tmpdir(), `${kind}-`));
  const [port, validatorPort] = [await reservePort(LOOPBACK, 0), await reservePort(LOOPBACK, 0)];
  const { path, sample, config, flagsIn, endsOn } = PROGRAMS[kind];
  const text = readFileSync(new URL(sample, SAMPLES), "utf8")
    .replaceAll("${ORIGIN_SECRET}", options.originSecret)
    .replaceAll(":8080", `:${port}`)
    .replaceAll(":4438", `:${validatorPort}`)
    .replaceAll(":4437", `:${new URL(options.server).port}`);
  writeFileSync(join(workDir, config), text);
  const environment = { JWKS_URL: options.jwksUrl, ISSUER: options.issuer, AUDIENCE: options.audience };
  const validator = fileURLToPath(new URL("validator.ts", SAMPLES));
  const children = [
    await start(process.execPath, [validator], workDir, validatorPort, { ...environment, PORT: String(validatorPort) }),
    await start(path, flagsIn(workDir), workDir, port, { ORIGIN_SECRET: options.originSecret, HOME: workDir }),
  ];
  return {
    url: `http://${LOOPBACK}:${port}`,
    stop: async () => {
      for (const child of children.toReversed()) await end(child, endsOn);
      rmSync(workDir, { recursive: true, force: true });
    },
  };
}

/** Returns once the program accepts connections. @throws Error with what it wrote, when it ends instead. */
async function start(
  path: string,
  flags: readonly string[],
  cwd: string,
  port: number,
  environment: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const env = { ...process.env, ...environment };
  const child = spawn(path, flags, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (log += chunk));
  for (const limit = Date.now() + LIMIT_MS; Date.now() < limit && child.exitCode === null; await delay(25)) {
    if (await accepts(port)) return child;
  }
  await end(child, "SIGKILL");
  throw new Error(`${path} does not listen:\n${log}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK, () => resolve(true));
    socket.on("connect", () => socket.destroy()).on("error", () => resolve(false));
  });
}

async function end(child: ChildProcess, signal: Program["endsOn"]): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}
