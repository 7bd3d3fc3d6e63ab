/** What doctor looks at in a running server: a stream is made, written, read in every way, and deleted. */

import { randomUUID } from "node:crypto";

import { HEADER } from "@durable-streams-cloudflare/protocol";

import { ENVIRONMENT, type Connection } from "../connection.ts";
import { CliError, EXIT } from "../failure.ts";
import type { Server } from "../server.ts";
import { ok, type Check, type Finding } from "./check.ts";

/** The server takes tokens from clocks that differ by so much. */
const SKEW_SECONDS_MAX = 30;
/** An event that takes longer was held back by something. */
const EVENT_MS = 5_000;

const HELD_BACK: Finding = {
  status: "fail",
  detail: `A live response brought nothing within ${EVENT_MS / 1000} s: something on the way buffers it.`,
  fix: "turn buffering off: packages/proxy is an nginx that does not buffer",
};

const MESSAGE = '{"from":"doctor"}';

export function serverChecks(server: Server): readonly Check[] {
  const stream = `doctor-${randomUUID()}`;
  let isThere = false;
  const needsStream = (run: () => Promise<Finding>) => async (): Promise<Finding> =>
    isThere ? run() : { status: "skip", detail: "It needs the stream of the round trip." };
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
  if (Number.isNaN(date)) return { status: "skip", detail: "The server's answers have no Date." };
  const skew = Math.round(Math.abs(Date.now() - date) / 1000);
  if (skew <= SKEW_SECONDS_MAX) return ok(`${skew} s apart`);
  const detail = `This clock and the server's are ${skew} s apart: tokens signed here are not valid there.`;
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
      return { status: "fail", detail: `What was appended was read back as ${text.slice(0, 80)}`, fix: "report this" };
    }
  } catch (error) {
    const refused = explainRefusal(error, server.connection);
    if (refused === undefined) throw error;
    return refused;
  }
  return ok(`create, append, read: ${Math.round(performance.now() - startMs)} ms`);
}

const SCOPE_FIX = "sign a token that may try this: durable-streams token --scope manage";

/** Why whoever asks may not make a stream to try things with; `undefined`: it is something else. */
function explainRefusal(error: unknown, { project, token, secret }: Connection): Finding | undefined {
  if (!(error instanceof CliError)) return undefined;
  // Where streams belong to projects, a name without one is no stream's.
  if (error.code === "path-invalid" && project === undefined) {
    const detail = "Streams of this server belong to projects, and none was named.";
    return {
      status: "warn",
      detail,
      fix: `--project NAME, and export ${ENVIRONMENT.secret}=…, to have this tried too`,
    };
  }
  if (error.exitCode !== EXIT.refused) return undefined;
  const [credential, name] = token === undefined ? ["secret", ENVIRONMENT.secret] : ["token", ENVIRONMENT.token];
  if (token === undefined && secret === undefined) {
    const detail = "The server lets nobody in without a token, and neither a token nor a secret is set.";
    return { status: "warn", detail, fix: `export ${ENVIRONMENT.secret}=… and --project NAME, to have this tried too` };
  }
  const why = error.why === undefined ? "" : ` (${error.why})`;
  if (token !== undefined && error.code === "forbidden") {
    const detail = `The server accepts the token of ${name}, which may not create and delete streams${why}.`;
    return { status: "warn", detail, fix: SCOPE_FIX };
  }
  return {
    status: "fail",
    detail: `The server does not accept the ${credential} of ${name}${project === undefined ? "" : ` for ${project}`}${why}.`,
    fix: `set the ${credential} of the project that --project names, on the server that --url names`,
  };
}

/** A reader key makes an answer one that shared caches may keep; where nobody signs tokens, every answer is. */
async function checkCache(server: Server, stream: string): Promise<Finding> {
  const key = await readerKey(server, stream).catch(asRefused);
  if (key === NO_KEY) return { status: "skip", detail: "It takes a token that manages the project." };
  const read = async (): Promise<Response> => {
    const response = await server.send("GET", server.streamPath(stream), { query: { offset: "-1", key } });
    await response.arrayBuffer();
    return response;
  };
  await read();
  const { headers } = await read();
  const said = ["CF-Cache-Status", "X-Cache", "Age"].flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [`${name}: ${value}`];
  });
  if (said.some((line) => /\bhit\b/i.test(line) || /^Age: [1-9]/.test(line)))
    return ok(`second read: ${said.join(", ")}`);
  return {
    status: "warn",
    detail: `The second read of the same range ran the server again (${said.join(", ") || "no cache says anything"}).`,
    fix: "with many readers of the same streams: setup --caching, or a CDN in front (docs/caching.md)",
  };
}

const NO_KEY = Symbol("the token may not make a reader key");

function asRefused(error: unknown): typeof NO_KEY {
  if (error instanceof CliError && error.exitCode === EXIT.refused) return NO_KEY;
  throw error;
}

/** `undefined`: the server has no keys, so it needs none. */
async function readerKey(server: Server, stream: string): Promise<string | undefined> {
  const headers = server.authorization("manage");
  if (headers.Authorization === undefined) return undefined;
  const path = `/v1/projects/${encodeURIComponent(server.project)}/reader-keys`;
  return (await server.sendJson<{ key: string }>("POST", path, { headers, json: { stream } })).key;
}

/** An event must arrive while the response goes on: a proxy that buffers would hold it until the end. */
async function checkSse(server: Server, stream: string): Promise<Finding> {
  const path = server.streamPath(stream);
  const headers = server.authorization("manage");
  const query = { offset: "now", live: "sse" };
  const response = await server.send("GET", path, { query, headers, limitMs: EVENT_MS }).catch((error: unknown) => {
    if (error instanceof CliError && error.code === "unreachable") return undefined;
    throw error;
  });
  if (response === undefined) return HELD_BACK;
  const reader = response.body?.getReader();
  if (reader === undefined) return { status: "fail", detail: "The response has no body.", fix: "check the proxy" };
  const startMs = performance.now();
  const type = { "Content-Type": "application/json" };
  await server.send("POST", path, { headers: { ...type, ...headers }, body: MESSAGE });
  const isThere = await arrives(reader, "event: data");
  await reader.cancel().catch(() => undefined);
  if (isThere) return ok(`an append arrived after ${Math.round(performance.now() - startMs)} ms`);
  return HELD_BACK;
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
  return ok("the stream is deleted again");
}
