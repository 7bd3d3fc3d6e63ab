/**
 * Cloudflare's API on loopback, as far as setup calls it, and the deployed server, reduced to its projects. It
 * records the calls and can break the connection at any call that changes something.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const API_TOKEN = "the-api-token-of-the-tests";

const API = "/client/v4";
/** Where the deployed server answers. */
const DEPLOYED = "/deployed";
/** Where wrangler sends the browser to log in, and requests the token. */
const LOGIN = "/oauth2";

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

interface Worker {
  /** Multipart, as wrangler sends it. */
  readonly upload: string;
  /** The tag of the last applied migration. */
  readonly migrationTag?: string | undefined;
  readonly secrets: Map<string, string>;
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

/** Breaks the connection at the n-th call that changes something, before or after it has its effect. */
export interface Cut {
  readonly at: number;
  readonly when: "before" | "after";
}

export class FakeCloudflare {
  readonly calls: Call[] = [];
  readonly buckets = new Map<string, { locationHint?: string }>();
  /** Names of the buckets that contain something. */
  readonly fullBuckets = new Set<string>();
  /** The titles of KV namespaces, by id. */
  readonly namespaces = new Map<string, string>();
  /** The names of queues, by id. */
  readonly queues = new Map<string, string>();
  readonly workers = new Map<string, Worker>();
  /** The secrets of projects, newest last, by the project's name. */
  readonly projects = new Map<string, string[]>();
  accounts = [{ id: ACCOUNT, name: "The account of the tests" }];
  hasR2 = true;
  subdomain: string | null = "tests";
  cut: Cut | undefined;
  /** Called at each call that changes something, with its number, before it has its effect. */
  onChange: (call: Call, count: number) => void = () => undefined;
  #changes = 0;
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get apiUrl(): string {
    return this.#origin() + API;
  }

  get deployedUrl(): string {
    return this.#origin() + DEPLOYED;
  }

  /** The environment that makes `wrangler login` use this server. */
  get loginEnv(): Record<string, string> {
    const url = this.#origin() + LOGIN;
    return {
      WRANGLER_AUTH_DOMAIN: new URL(url).host,
      WRANGLER_AUTH_URL: `${url}/auth`,
      WRANGLER_TOKEN_URL: `${url}/token`,
    };
  }

  /** How many calls have changed something so far, or would have. */
  get changes(): number {
    return this.#changes;
  }

  restartCount(): void {
    this.#changes = 0;
    this.cut = undefined;
  }

  #origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = "", url = "" } = request;
    if (url.startsWith(LOGIN)) return this.#serveLogin(url, response);
    const call = { method, path: url.replace(API, ""), body: Buffer.concat(chunks).toString() };
    this.calls.push(call);
    const isChange = method !== "GET";
    if (isChange) this.onChange(call, (this.#changes += 1));
    const isCut = isChange && this.cut?.at === this.#changes;
    if (isCut && this.cut?.when === "before") return void response.destroy();
    const answer = this.#answer(call, request.headers.authorization);
    if (isCut) return void response.destroy();
    response.writeHead(answer.status, { "Content-Type": "application/json" }).end(JSON.stringify(answer.json));
  }

  /** Logs everybody in at once. */
  #serveLogin(url: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, this.#origin());
    if (pathname === `${LOGIN}/token`) {
      response.end(JSON.stringify({ access_token: API_TOKEN, expires_in: 3600, refresh_token: "r", scope: "" }));
      return;
    }
    const back = new URL(searchParams.get("redirect_uri") ?? "");
    back.search = new URLSearchParams({ code: "code", state: searchParams.get("state") ?? "" }).toString();
    response.writeHead(302, { Location: back.href }).end();
  }

  #answer(call: Call, authorization: string | undefined): Answer {
    const [path = ""] = call.path.split("?");
    if (path.startsWith(DEPLOYED)) return this.#answerDeployed(call.method, path.slice(DEPLOYED.length), authorization);
    if (authorization !== `Bearer ${API_TOKEN}`) return failure(403, 10000, "Authentication error");
    if (path === "/install") return success(null);
    if (path === "/accounts") return success(this.accounts);
    const [, , account, ...rest] = path.split("/");
    if (!this.accounts.some(({ id }) => id === account)) return failure(403, 10000, "No such account");
    return this.#answerAccount(call, rest.join("/"));
  }

  #answerAccount({ method, body }: Call, path: string): Answer {
    const name = path.split("/").at(-1) ?? "";
    if (path === "workers/subdomain") {
      return this.subdomain === null ? failure(404, 10007, "none") : success({ subdomain: this.subdomain });
    }
    // wrangler also asks for this when it deploys.
    if (path.startsWith("workers/workers/")) return success({ id: name, name, subdomain: { enabled: true } });
    if (path.startsWith("workers/services/")) {
      const worker = this.workers.get(name);
      return worker === undefined
        ? failure(404, 10090, "none")
        : success({ id: name, default_environment: { script: { migration_tag: worker.migrationTag } } });
    }
    if (path.startsWith("r2/buckets")) return this.#answerBuckets(method, name, body);
    if (path.startsWith("storage/kv/namespaces")) return this.#answerNamespaces(method, name, body);
    if (path.startsWith("queues")) return this.#answerQueues(method, path, body);
    if (path.startsWith("workers/scripts")) return this.#answerWorkers(method, path, body);
    return failure(404, 7003, `no route for ${method} ${path}`);
  }

  #answerBuckets(method: string, name: string, body: string): Answer {
    if (!this.hasR2) return failure(403, 10042, "Please enable R2 through the Cloudflare Dashboard.");
    if (method === "POST") {
      const { name: wanted, ...options } = JSON.parse(body) as { name: string; locationHint?: string };
      if (this.buckets.has(wanted)) return failure(409, 10004, "The bucket you tried to create already exists");
      this.buckets.set(wanted, options);
      return success({ name: wanted });
    }
    if (!this.buckets.has(name)) return failure(404, 10006, "The specified bucket does not exist.");
    if (method !== "DELETE") return success({ name });
    if (this.fullBuckets.has(name)) return failure(409, 10008, "The bucket you tried to delete is not empty");
    this.buckets.delete(name);
    return success(null);
  }

  #answerNamespaces(method: string, id: string, body: string): Answer {
    if (method === "POST") {
      const { title } = JSON.parse(body) as { title: string };
      if ([...this.namespaces.values()].includes(title)) return failure(400, 10014, "title exists");
      const made = (this.namespaces.size + 1).toString().padStart(32, "0");
      this.namespaces.set(made, title);
      return success({ id: made, title });
    }
    if (method === "DELETE") return this.namespaces.delete(id) ? success(null) : failure(404, 10013, "not found");
    return success([...this.namespaces].map(([key, title]) => ({ id: key, title })));
  }

  #answerQueues(method: string, path: string, body: string): Answer {
    const [, id = "", item] = path.split("/");
    // wrangler also asks who consumes the queue when it deploys.
    if (item === "consumers") return success(method === "GET" ? [] : { queue_name: this.queues.get(id) });
    if (method === "POST") {
      const { queue_name: name } = JSON.parse(body) as { queue_name: string };
      if ([...this.queues.values()].includes(name)) return failure(409, 11009, "Queue name is already taken");
      this.queues.set(`queue-${this.queues.size + 1}`, name);
      return success({ queue_name: name });
    }
    if (method === "DELETE") return this.queues.delete(id) ? success(null) : failure(404, 11000, "not found");
    const all = [...this.queues].map(([key, name]) => ({ queue_id: key, queue_name: name }));
    return success(all.map((queue) => ({ ...queue, producers: [], consumers: [] })));
  }

  #answerWorkers(method: string, path: string, body: string): Answer {
    const [, , name = "", item] = path.split("/");
    const worker = this.workers.get(name);
    if (name === "") {
      return success([...this.workers].map(([id, { migrationTag }]) => ({ id, migration_tag: migrationTag })));
    }
    const isUpload = (method === "PUT" && item === undefined) || (method === "POST" && item === "versions");
    if (isUpload) {
      const migrationTag = migrationTagOf(body) ?? worker?.migrationTag;
      this.workers.set(name, { upload: body, migrationTag, secrets: worker?.secrets ?? new Map() });
      return success({ id: name, resources: { script: { etag: "etag" } } });
    }
    if (worker === undefined) return failure(404, 10007, "This Worker does not exist on your account.");
    // wrangler also asks for this when it deploys again.
    if (item === "deployments" || item === "settings") return success({ deployments: [], bindings: [] });
    if (item === "secrets" && method === "PUT") {
      const secret = JSON.parse(body) as { name: string; text: string };
      worker.secrets.set(secret.name, secret.text);
    }
    if (item === "secrets") return success([...worker.secrets.keys()].map((secret) => ({ name: secret })));
    if (method === "DELETE") this.workers.delete(name);
    return success({ id: name });
  }

  /** The administrator is whoever knows a secret of any Worker. */
  #answerDeployed(method: string, path: string, authorization: string | undefined): Answer {
    if (this.workers.size === 0) return { status: 404, json: {} };
    if (path === "/readyz") return { status: 200, json: { status: "ready" } };
    const secrets = [...this.workers.values()].map((worker) => worker.secrets.get("ADMIN_SECRET"));
    if (!secrets.some((secret) => authorization === `Bearer ${secret}`)) return problem(401, "unauthenticated");
    const [, , , name = "", item] = path.split("/");
    if (method === "GET") return { status: 200, json: { projects: [...this.projects.keys()], cursor: null } };
    const known = this.projects.get(name) ?? [];
    const secret = `secret-${this.changes}-`.padEnd(43, "x");
    if (item === "secrets") {
      this.projects.set(name, [...known, secret]);
      return { status: 201, json: { secret: { kid: "k", secret } } };
    }
    const { name: wanted } = JSON.parse(this.calls.at(-1)?.body ?? "{}") as { name: string };
    if (this.projects.has(wanted)) return problem(409, "project-exists");
    this.projects.set(wanted, [secret]);
    return { status: 201, json: { project: { name: wanted }, secret: { kid: "k", secret } } };
  }
}

/** Reads the migrations of an upload by wrangler, or of wrangler.toml. */
function migrationTagOf(upload: string): string | undefined {
  return /"new_tag":"([^"]*)"/.exec(upload)?.[1] ?? [...upload.matchAll(/^tag = "(.*)"$/gm)].at(-1)?.[1];
}

function success(result: unknown): Answer {
  return { status: 200, json: { success: true, errors: [], messages: [], result } };
}

function failure(status: number, code: number, message: string): Answer {
  return { status, json: { success: false, errors: [{ code, message }], messages: [], result: null } };
}

function problem(status: number, code: string): Answer {
  return { status, json: { code, title: code, detail: code } };
}
