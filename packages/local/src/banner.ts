import { relative } from "node:path";

import { parseConfig } from "@durable-streams-cloudflare/core/config";
import { isLoopback } from "@durable-streams-cloudflare/node/config";

export interface BannerInput {
  readonly url: string;
  /** `undefined`: the data is in memory. */
  readonly dataDir: string | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
  /** That of the shell which the commands are pasted into. */
  readonly system?: NodeJS.Platform;
}

/** The server's address, and commands to paste into another terminal: create, append, read, follow. */
export function formatBanner({ url, dataDir, settings, system = process.platform }: BannerInput): string {
  const project = settings["TENANCY"] === "path" ? "demo/" : "";
  const { streamRoot } = parseConfig(settings);
  const address = url.replace("//127.0.0.1:", "//localhost:");
  const stream = `${address}${streamRoot}${project}hello`;
  const needsToken = settings["AUTH_MODE"] !== "none";
  const shell = system === "win32" ? WINDOWS : POSIX;
  const { curl, quote } = shell;
  const token = needsToken ? `-H "Authorization: Bearer ${shell.token}" ` : "";
  const json = `-H ${quote}Content-Type: application/json${quote}`;
  return `
Durable Streams is running at ${address}, with its data in ${dataDir === undefined ? "memory" : shortPath(dataDir)}. Press Ctrl-C to stop it.
${HOW_TO_GET_IN[String(settings["AUTH_MODE"])] ?? ""}
  # create a stream, append to it, read it, follow it
  ${curl} ${token}-X PUT ${json} ${stream}
  ${curl} ${token}-X POST ${json} -d ${shell.message} ${stream}
  ${curl} ${token}${quote}${stream}?offset=-1${quote}
  ${curl} ${token}-N ${quote}${stream}?offset=-1&live=sse${quote}

`;
}

const POSIX = { curl: "curl", quote: "'", message: `'{"text":"hello"}'`, token: "$TOKEN" };
/**
 * Works in cmd.exe and in PowerShell. cmd.exe has no single quotes, the two escape double quotes differently, so the message is
 * a number, and each names variables in its own way. In PowerShell 5, `curl` is another command.
 */
const WINDOWS = { curl: "curl.exe", quote: '"', message: "42", token: "TOKEN" };

const HOW_TO_GET_IN: Readonly<Record<string, string>> = {
  project: "\nRequests need a token (AUTH_MODE is project): set TOKEN to a token of the project first.\n",
  "trusted-header":
    "\nOnly a proxy that sends ORIGIN_SECRET is let in (AUTH_MODE is trusted-header): use the proxy's address below, and set\n" +
    "TOKEN to a token that the proxy accepts.\n",
};

/** The URL by which a program on this machine reaches the server. Listening on all addresses includes loopback. */
export function formatUrl(host: string, port: number, scheme: "http" | "https" = "http"): string {
  const reachable = host === "0.0.0.0" || host === "*" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** Empty unless other machines can reach the server and need no token. */
export function formatExposureWarning(host: string, settings: Readonly<Record<string, unknown>>): string {
  if (isLoopback(host) || settings["AUTH_MODE"] !== "none") return "";
  return (
    `! DANGER: listening on ${host} with AUTH_MODE=none. Everybody who can reach this machine can read, write and delete\n` +
    "  every stream.\n  Fix: --host 127.0.0.1, or --var AUTH_MODE:project\n"
  );
}

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere !== "" && !fromHere.startsWith("..") ? fromHere : path;
}
