/** Requests to the server. A refusal or an unreachable server becomes a `CliError`. */

import { PROBLEMS, type ProblemCode } from "@durable-streams-cloudflare/protocol";

import { BASE_PATH, ENVIRONMENT, SINGLE_PROJECT, type Connection } from "./connection.ts";
import { CliError, EXIT, reasonOf, type ExitCode } from "./failure.ts";
import { PROGRAM } from "./help.ts";
import { shellWord } from "./shell-word.ts";
import { signToken, type Scope } from "./token.ts";
import { isFromSource } from "./version.ts";

const REQUEST_ID_HEADER = "Stream-Request-Id";

/** Lifetime of a token that is signed for a single request. */
const OWN_TOKEN_SECONDS = 300;
const ANSWER_MS = 30_000;
/** Entries per page; the server returns no more at once. */
const PAGE = 1_000;
const PAGES_MAX = 1_000;

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** How long the server may take to begin its response. */
  readonly limitMs?: number;
  /** What the request is about, if the path does not say it. */
  readonly subject?: Subject;
}

export class Server {
  readonly connection: Connection;
  readonly #signal: AbortSignal;

  constructor(connection: Connection, signal: AbortSignal) {
    this.connection = connection;
    this.#signal = signal;
  }

  /** The project that a command is about; `default` if the server has a single project. */
  get project(): string {
    return this.connection.project ?? SINGLE_PROJECT;
  }

  /** The path of a stream, within the project if there is one. */
  streamPath(name: string): string {
    const { project, basePath = BASE_PATH } = this.connection;
    const segments = name.split("/").map(encodeURIComponent);
    return [basePath, ...(project === undefined ? [] : [project]), ...segments].join("/");
  }

  streamUrl(name: string): string {
    return this.connection.url + this.streamPath(name);
  }

  /** The header with a token of this scope; empty if there is neither a token nor a secret. */
  authorization(scope: Scope): { Authorization?: string } {
    const { token, secret } = this.connection;
    if (token !== undefined) return { Authorization: `Bearer ${token}` };
    if (secret === undefined) return {};
    const expiresAt = Math.floor(Date.now() / 1000) + OWN_TOKEN_SECONDS;
    return { Authorization: `Bearer ${signToken({ project: this.project, scopes: [scope], expiresAt }, secret)}` };
  }

  /** The credential for `/v1/projects`: the server's secret, otherwise a token of the project. */
  projectAuthorization(scope: Scope = "manage"): { Authorization?: string } {
    const { adminSecret } = this.connection;
    return adminSecret === undefined ? this.authorization(scope) : { Authorization: `Bearer ${adminSecret}` };
  }

  /** @throws CliError unless the status is 2xx. */
  async send(
    method: string,
    path: string,
    { headers = {}, body, query = {}, limitMs, subject }: Call = {},
  ): Promise<Response> {
    const url = new URL(this.connection.url + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const response = await this.#fetch(url, { method, headers, body: body ?? null }, limitMs);
    if (response.ok) return response;
    const problem = method === "HEAD" ? problemOfHead(response) : parseProblem(await response.text());
    throw refusal(response.status, problem, subject ?? subjectOf(path, this.connection));
  }

  /** Returns the JSON object in the response; empty if there is no body. @throws CliError */
  async sendJson<Json>(method: string, path: string, call?: Call & { readonly json?: object }): Promise<Json> {
    const { json, ...rest } = call ?? {};
    const headers = { ...rest.headers, ...(json === undefined ? {} : { "Content-Type": "application/json" }) };
    const parts = json === undefined ? { ...rest, headers } : { ...rest, headers, body: JSON.stringify(json) };
    const text = await (await this.send(method, path, parts)).text();
    return (text === "" ? {} : JSON.parse(text)) as Json;
  }

  /** Reads the pages of a list until the limit is reached; at most a million entries. @throws CliError */
  async sendPages<Page extends { readonly cursor: string | null }>(
    path: string,
    call: Call,
    { limit, count }: { readonly limit: number; readonly count: (page: Page) => number },
  ): Promise<Page[]> {
    const pages: Page[] = [];
    let cursor: string | undefined;
    for (let entries = 0; pages.length < PAGES_MAX;) {
      const query = { ...call.query, limit: String(Math.min(PAGE, limit - entries)), cursor };
      const page = await this.sendJson<Page>("GET", path, { ...call, query });
      pages.push(page);
      entries += count(page);
      if (page.cursor === null || entries >= limit) break;
      cursor = page.cursor;
    }
    return pages;
  }

  /** Limits only the time until the response begins: the body may take any time. */
  async #fetch(url: URL, init: RequestInit, limitMs = ANSWER_MS): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${limitMs / 1000} seconds`)), limitMs);
    try {
      return await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.any([this.#signal, late.signal]) });
    } catch (error) {
      this.#signal.throwIfAborted();
      throw unreachable(url.origin, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

export function unreachable(origin: string, error: unknown): CliError {
  return new CliError(`The server at ${origin} cannot be reached.`, {
    code: "unreachable",
    why: reasonOf(error),
    fix: `start it (${isFromSource() ? "npm start" : `${PROGRAM} serve`}), or use another one: --url URL or ${ENVIRONMENT.url}`,
    exitCode: EXIT.unavailable,
    cause: error,
  });
}

/** What a request is about, under the name that commands use. */
export interface Subject {
  readonly stream?: string;
  readonly project?: string;
}

function subjectOf(path: string, { project, basePath = BASE_PATH }: Connection): Subject {
  const below = project === undefined ? `${basePath}/` : `${basePath}/${project}/`;
  if (path.startsWith(below)) return { stream: path.slice(below.length).split("/").map(decodeURIComponent).join("/") };
  const [, named] = /^\/v1\/projects\/([^/]+)/.exec(path) ?? [];
  return named === undefined ? {} : { project: decodeURIComponent(named) };
}

export interface ProblemBody {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly requestId?: string;
}

/** Translates a status and a problem's JSON [RFC 9457] into an error of the command. */
export function refusal(status: number, problem: ProblemBody, subject: Subject = {}): CliError {
  return new CliError(problem.title ?? `The server answered with status ${status}.`, {
    code: problem.code ?? `status-${status}`,
    ...(problem.detail === undefined ? {} : { why: problem.detail }),
    fix: fixOf(status, problem, subject),
    ...(problem.requestId === undefined ? {} : { requestId: problem.requestId }),
    exitCode: exitCodeOf(status),
  });
}

/** A response to HEAD has no body, so the problem is derived from its status. */
function problemOfHead({ status, headers }: Response): ProblemBody {
  const code = HEAD_PROBLEMS[status];
  const requestId = headers.get(REQUEST_ID_HEADER);
  return {
    ...(code === undefined ? {} : { code, title: PROBLEMS[code].title }),
    ...(requestId === null ? {} : { requestId }),
  };
}

const HEAD_PROBLEMS: Readonly<Record<number, ProblemCode>> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "stream-not-found",
  410: "stream-deleted",
};

export function parseProblem(text: string): ProblemBody {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : {};
  } catch {
    return {}; // For example, the error page of a proxy.
  }
}

function fixOf(status: number, { hint, code }: ProblemBody, { stream, project }: Subject): string {
  if (status === 401 || status === 403) {
    return `set ${ENVIRONMENT.secret} or ${ENVIRONMENT.token}, and --project; for projects, set ${ENVIRONMENT.adminSecret}`;
  }
  if (code === "stream-not-found" && stream !== undefined) {
    return `create it: ${PROGRAM} stream create ${shellWord(stream)}`;
  }
  if (code === "project-exists" && project !== undefined) {
    const name = shellWord(project);
    return `to change it: ${PROGRAM} project set ${name} SETTING=VALUE; to add a secret: ${PROGRAM} project rotate ${name}`;
  }
  if (hint !== undefined) return hint;
  if (status === 404 || status === 405) return "check --url and --project, or run durable-streams doctor";
  if (status >= 500 || status === 429) return "try again later; durable-streams doctor shows the state of the server";
  return "change the request; docs/problems.md explains the code";
}

function exitCodeOf(status: number): ExitCode {
  if (status === 404 || status === 410) return EXIT.notFound;
  if (status === 401 || status === 403) return EXIT.refused;
  if (status === 429 || status >= 500) return EXIT.unavailable;
  return EXIT.failed;
}
