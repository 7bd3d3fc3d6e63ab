/** Varnish in front of a server, and a count of what it asks the server for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { reservePort } from "@durable-streams-cloudflare/local/port";

import { untilAnswers } from "./until-answers.ts";

/** Where Debian's package puts it. */
export const VARNISHD = "/usr/sbin/varnishd";

const VCL = fileURLToPath(new URL("../varnish/default.vcl", import.meta.url));
const LOOPBACK = "127.0.0.1";

/** One request that came through the cache. */
export interface OriginRequest {
  readonly method: string;
  readonly url: string;
  readonly status: number;
}

export interface VarnishCache {
  /** Without a slash at its end. */
  readonly url: string;
  /** What the origin was asked since the last call. */
  takeRequests(): OriginRequest[];
  stop(): Promise<void>;
}

/**
 * @param origin the server's URL.
 * @param convertsHead whether it asks for what it does not have by GET, even if it is asked by HEAD, as Cloudflare's caches do.
 */
export async function startVarnish(origin: string, convertsHead = false): Promise<VarnishCache> {
  const requests: OriginRequest[] = [];
  const counter = await startCounter(origin, requests);
  const workDir = mkdtempSync(join(tmpdir(), "varnish-"));
  const port = await reservePort(LOOPBACK, 0);
  const vcl = readFileSync(VCL, "utf8")
    .replace("ORIGIN_HOST", LOOPBACK)
    .replace("ORIGIN_PORT", String((counter.address() as AddressInfo).port));
  const passed = 'if (req.method != "GET") {';
  if (!vcl.includes(passed)) throw new Error("The configuration of Varnish does not say which methods it passes.");
  const ownVcl = convertsHead ? vcl.replace(passed, 'if (req.method != "GET" && req.method != "HEAD") {') : vcl;
  const vclPath = join(workDir, "default.vcl");
  writeFileSync(vclPath, ownVcl);
  const flags = ["-F", "-n", workDir, "-a", `${LOOPBACK}:${port}`, "-f", vclPath, "-s", "malloc,64m", "-j", "none"];
  const child = spawn(VARNISHD, [...flags, "-p", "thread_pool_min=100"], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  let log = "";
  child.stdout.on("data", (chunk: Buffer) => (log += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const url = `http://${LOOPBACK}:${port}`;
  await Promise.race([
    untilAnswers(`${url}/readyz`),
    exited.then(() => {
      throw new Error(`varnishd ended:\n${log}`);
    }),
  ]);
  return {
    url,
    takeRequests: () => requests.splice(0),
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
      counter.closeAllConnections();
      counter.close();
      rmSync(workDir, { recursive: true, force: true });
    },
  };
}

/** Passes everything on to the origin, and writes down what it was. */
async function startCounter(origin: string, requests: OriginRequest[]): Promise<Server> {
  const server = createServer((incoming, outgoing) => passOn(origin, incoming, outgoing, requests));
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  return server;
}

function passOn(origin: string, incoming: IncomingMessage, outgoing: ServerResponse, requests: OriginRequest[]): void {
  const { method = "", url = "", headers } = incoming;
  const upstream = request(origin + url, { method, headers });
  upstream.on("response", (response) => {
    const status = response.statusCode ?? 0;
    requests.push({ method, url, status });
    outgoing.writeHead(status, response.rawHeaders);
    outgoing.flushHeaders();
    response.pipe(outgoing);
    response.on("error", () => outgoing.destroy());
  });
  upstream.on("error", () => outgoing.destroy());
  outgoing.on("close", () => upstream.destroy());
  incoming.pipe(upstream);
}
