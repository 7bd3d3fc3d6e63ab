/** nginx in front of a server, configured as in the image of packages/proxy. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { reservePort } from "@durable-streams-cloudflare/local/port";

import { proxyConfig, type ProxySettings } from "./proxy-config.ts";
import { untilAnswers } from "./until-answers.ts";

/** Where Debian's package puts it. */
export const NGINX = "/usr/sbin/nginx";

const LOOPBACK = "127.0.0.1";

export interface NginxProxy {
  /** Without a slash at its end. */
  readonly url: string;
  /** What nginx has written, of requests and of errors. */
  log(): string;
  stop(): Promise<void>;
}

/**
 * @param settings the image's variables; the port is chosen here.
 * @param edit changes the finished configuration.
 */
export async function startNginx(settings: ProxySettings, edit = (config: string) => config): Promise<NginxProxy> {
  const workDir = mkdtempSync(join(tmpdir(), "nginx-"));
  const port = await reservePort(LOOPBACK, 0);
  const config = proxyConfig({ WORKERS: 2, LOG_LEVEL: "error", ...settings, PORT: port });
  writeFileSync(join(workDir, "nginx.conf"), edit(config));
  const logPath = join(workDir, "log");
  // A file, because nginx opens /dev/stdout, which Node.js's pipes do not allow.
  const logFile = openSync(logPath, "a");
  const child = spawn(NGINX, [...inDirectory(workDir), "-g", "daemon off;"], { stdio: ["ignore", logFile, logFile] });
  closeSync(logFile);
  const exited = once(child, "exit");
  const log = (): string => readFileSync(logPath, "utf8");
  const url = `http://${LOOPBACK}:${port}`;
  await Promise.race([
    untilAnswers(`${url}/-/health`),
    exited.then(() => {
      throw new Error(`nginx ended:\n${log()}`);
    }),
  ]);
  return {
    url,
    log,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
      rmSync(workDir, { recursive: true, force: true });
    },
  };
}

/** What `nginx -t` has against a configuration; empty: nothing. */
export function faultsOf(config: string): string {
  const workDir = mkdtempSync(join(tmpdir(), "nginx-"));
  writeFileSync(join(workDir, "nginx.conf"), config);
  const flags = [...inDirectory(workDir), "-t"];
  const { status, stderr } = spawnSync(NGINX, flags, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  rmSync(workDir, { recursive: true, force: true });
  return status === 0 && !stderr.includes("[warn]") ? "" : stderr;
}

function inDirectory(workDir: string): string[] {
  return ["-e", "stderr", "-p", workDir, "-c", "nginx.conf"];
}
