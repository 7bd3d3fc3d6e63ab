import { relative } from "node:path";

export interface BannerInput {
  readonly url: string;
  readonly dataDir: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Where the server is, and lines to paste into another terminal: create, append, read, follow. */
export function formatBanner({ url, dataDir, settings }: BannerInput): string {
  const project = settings["TENANCY"] === "path" ? "demo/" : "";
  const address = url.replace("//127.0.0.1:", "//localhost:");
  const stream = `${address}/v1/stream/${project}hello`;
  const needsToken = settings["AUTH_MODE"] !== "none";
  const token = needsToken ? `-H "Authorization: Bearer $TOKEN" ` : "";
  const json = "-H 'Content-Type: application/json'";
  return `
Durable Streams at ${address}, data in ${shortPath(dataDir)}. Ctrl-C ends it.
${needsToken ? "\nAUTH_MODE is not none: set TOKEN to a token of the project first.\n" : ""}
  # create a stream, append to it, read it, follow it
  curl ${token}-X PUT ${json} ${stream}
  curl ${token}-X POST ${json} -d '{"text":"hello"}' ${stream}
  curl ${token}'${stream}?offset=-1'
  curl ${token}-N '${stream}?offset=-1&live=sse'

`;
}

/** Where a program on this machine reaches the server: every address includes the loopback one. */
export function formatUrl(host: string, port: number): string {
  const reachable = host === "0.0.0.0" || host === "*" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Empty unless the server is open to other machines, and to everybody on them. */
export function formatExposureWarning(host: string, settings: Readonly<Record<string, unknown>>): string {
  if (isLoopback(host) || settings["AUTH_MODE"] !== "none") return "";
  return (
    `! DANGER: listening on ${host} with AUTH_MODE=none. Everybody who reaches this machine may read, write and delete\n` +
    "  every stream. Fix: --host 127.0.0.1, or --var AUTH_MODE:project\n"
  );
}

function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere !== "" && !fromHere.startsWith("..") ? fromHere : path;
}
