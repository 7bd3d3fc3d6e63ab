/** The checks of `doctor` on a running server: a stream is created, written, read in every way, and deleted. */

import { randomUUID } from "node:crypto";

import { HEADER } from "@durable-streams-cloudflare/protocol";

import { ENVIRONMENT, type Connection } from "../connection.ts";
import { CliError, EXIT } from "../failure.ts";
import type { Server } from "../server.ts";
import { ok, type Check, type Finding } from "./check.ts";

/** The server accepts tokens from clocks that differ by up to this much. */
const SKEW_SECONDS_MAX = 30;
/** An event that takes longer was buffered on the way. */
const EVENT_MS = 5_000;

const BUFFERED: Finding = {
  status: "fail",
  detail: `No event arrived within ${EVENT_MS / 1000} s: something between the server and this machine buffers responses.`,
  fix: "turn off buffering in your proxy; packages/proxy is an nginx that does not buffer",
};

const MESSAGE = '{"from":"doctor"}';

export function serverChecks(server: Server): readonly Check[] {
  const stream = `doctor-${randomUUID()}`;
  let isThere = false;
  const needsStream = (run: () => Promise<Finding>) => async (): Promise<Finding> =>
    isThere ? run() : { status: "skip", detail: "This check needs the stream of the round trip." };
  return [
    { id: "server", run: () => checkServer(server) },
    { id: "clock", run: () => checkClock(server) },
    {
      id: "round-trip",
      run: async () => {
        const finding = await checkRoundTrip(server, stream);
        isThere = finding.status === "ok";
        return finding;
      },
    },
    { id: "cache", run: needsStream(() => checkCache(server, stream)) },
    { id: "sse", run: needsStream(() => checkSse(server, stream)) },
    { id: "clean-up", run: needsStream(() => remove(server, stream)) },
  ];
}

async function checkServer(server: Server): Promise<Finding> {
  await server.send("GET", "/readyz");
  return ok(server.connection.url);
}

async function checkClock(server: Server): Promise<Finding> {
  const response = await server.send("GET", "/readyz");
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(date)) return { status: "skip", detail: "The server's responses have no Date header." };
  const skew = Math.round(Math.abs(Date.now() - date) / 1000);
  if (skew <= SKEW_SECONDS_MAX) return ok(`${skew} s difference`);
  const detail = `The clocks of this machine and of the server differ by ${skew} s, so tokens signed here may be refused.`;
  return { status: "fail", detail, fix: "set this machine's clock: sudo timedatectl set-ntp true" };
}

async function checkRoundTrip(server: Server, stream: string): Promise<Finding> {
  const path = server.streamPath(stream);
  const startMs = performance.now();
  try {
    const type = { "Content-Type": "application/json" };
    await server.send("PUT", path, { headers: { ...type, [HEADER.ttl]: "600", ...server.authorization("manage") } });
    await server.send("POST", path, { headers: { ...type, ...server.authorization("manage") }, body: MESSAGE });
    const found = await server.send("GET", path, { query: { offset: "-1" }, headers: server.authorization("manage") });
    const text = await found.text();
    if (text !== `[${MESSAGE}]`) {
      return {
        status: "fail",
        detail: `The data that was read differs from what was appended: ${text.slice(0, 80)}`,
        fix: "report this bug",
      };
    }
  } catch (error) {
    const refused = explainRefusal(error, server.connection);
    if (refused === undefined) throw error;
    return refused;
  }
  return ok(`Create, append and read took ${Math.round(performance.now() - startMs)} ms.`);
}

const SCOPE_FIX = "use a token with the right to do so: durable-streams token --scope manage";

/** Why the credentials do not allow creating a test stream; `undefined` if the error has another cause. */
function explainRefusal(error: unknown, { project, token, secret }: Connection): Finding | undefined {
  if (!(error instanceof CliError)) return undefined;
  // On a server with projects, a stream's name without a project is invalid.
  if (error.code === "path-invalid" && project === undefined) {
    const detail = "The streams of this server belong to projects, but no project was given.";
    return {
      status: "warn",
      detail,
      fix: `to include this check, use --project NAME and export ${ENVIRONMENT.secret}=…`,
    };
  }
  if (error.exitCode !== EXIT.refused) return undefined;
  const [credential, name] = token === undefined ? ["secret", ENVIRONMENT.secret] : ["token", ENVIRONMENT.token];
  if (token === undefined && secret === undefined) {
    const detail = "The server requires a token, but neither a token nor a secret is set.";
    return {
      status: "warn",
      detail,
      fix: `to include this check, export ${ENVIRONMENT.secret}=… and use --project NAME`,
    };
  }
  const why = error.why === undefined ? "" : ` (${error.why})`;
  if (token !== undefined && error.code === "forbidden") {
    const detail = `The server accepts the token of ${name}, which may not create and delete streams${why}.`;
    return { status: "warn", detail, fix: SCOPE_FIX };
  }
  return {
    status: "fail",
    detail: `The server does not accept the ${credential} of ${name}${project === undefined ? "" : ` for ${project}`}${why}.`,
    fix: `set the ${credential} of the project given by --project, on the server given by --url`,
  };
}

/** With a reader key, shared caches may store the response. On a server without tokens, they may store every response. */
async function checkCache(server: Server, stream: string): Promise<Finding> {
  const key = await readerKey(server, stream).catch(asRefused);
  if (key === NO_KEY) return { status: "skip", detail: "This check needs a token that manages the project." };
  const read = async (): Promise<Response> => {
    const response = await server.send("GET", server.streamPath(stream), { query: { offset: "-1", key } });
    await response.arrayBuffer();
    return response;
  };
  await read();
  const { headers } = await read();
  const cacheHeaders = ["CF-Cache-Status", "X-Cache", "Age"].flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [`${name}: ${value}`];
  });
  if (cacheHeaders.some((line) => /\bhit\b/i.test(line) || /^Age: [1-9]/.test(line)))
    return ok(`The second read was served from a cache (${cacheHeaders.join(", ")}).`);
  return {
    status: "warn",
    detail: `The second read of the same range was not served from a cache (${cacheHeaders.join(", ") || "no cache headers"}).`,
    fix: "if many clients read the same streams, use setup --caching, or the nginx image behind a CDN (docs/caching.md)",
  };
}

const NO_KEY = Symbol("the token may not make a reader key");

function asRefused(error: unknown): typeof NO_KEY {
  if (error instanceof CliError && error.exitCode === EXIT.refused) return NO_KEY;
  throw error;
}

/** `undefined` on a server without tokens, which needs no key. */
async function readerKey(server: Server, stream: string): Promise<string | undefined> {
  const headers = server.authorization("manage");
  if (headers.Authorization === undefined) return undefined;
  const path = `/v1/projects/${encodeURIComponent(server.project)}/reader-keys`;
  return (await server.sendJson<{ key: string }>("POST", path, { headers, json: { stream } })).key;
}

/** An event must arrive while the response is still open: a proxy that buffers would hold it back until the end. */
async function checkSse(server: Server, stream: string): Promise<Finding> {
  const path = server.streamPath(stream);
  const headers = server.authorization("manage");
  const query = { offset: "now", live: "sse" };
  const response = await server.send("GET", path, { query, headers, limitMs: EVENT_MS }).catch((error: unknown) => {
    if (error instanceof CliError && error.code === "unreachable") return undefined;
    throw error;
  });
  if (response === undefined) return BUFFERED;
  const reader = response.body?.getReader();
  if (reader === undefined)
    return { status: "fail", detail: "The response has no body.", fix: "check the proxy in front of the server" };
  const startMs = performance.now();
  const type = { "Content-Type": "application/json" };
  await server.send("POST", path, { headers: { ...type, ...headers }, body: MESSAGE });
  const isThere = await arrives(reader, "event: data");
  await reader.cancel().catch(() => undefined);
  if (isThere) return ok(`The append arrived after ${Math.round(performance.now() - startMs)} ms.`);
  return BUFFERED;
}

async function arrives(reader: ReadableStreamDefaultReader<Uint8Array>, what: string): Promise<boolean> {
  const decoder = new TextDecoder();
  let text = "";
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), EVENT_MS);
  try {
    while (!text.includes(what)) {
      const { done, value } = await reader.read();
      if (done) return false;
      text += decoder.decode(value, { stream: true });
    }
    return true;
  } finally {
    clearTimeout(timer);
  }
}

async function remove(server: Server, stream: string): Promise<Finding> {
  await server.send("DELETE", server.streamPath(stream), { headers: server.authorization("manage") });
  return ok("The test stream was deleted.");
}
