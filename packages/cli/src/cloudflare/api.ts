/** The part of Cloudflare's API that setup needs. */

import { CliError, EXIT, reasonOf } from "../failure.ts";

const API_URL = "https://api.cloudflare.com/client/v4";
/** The API's code for an account that has never used R2. */
const R2_DISABLED = 10042;
const ANSWER_MS = 30_000;
const PAGE = 100;
/** How many pages of a list are searched. */
const PAGES_MAX = 50;

export interface Account {
  readonly id: string;
  readonly name: string;
}

export interface DeployedWorker {
  /** The tag of the last applied migration of Durable Objects; `undefined` if there is none. */
  readonly migrationTag: string | undefined;
}

/** The HTTP headers with the credentials of a login. */
export type Credentials = Readonly<Record<string, string>>;

export interface ApiOptions {
  readonly credentials: Credentials;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

interface Envelope<Result> {
  readonly result: Result;
  readonly errors?: readonly { readonly code: number; readonly message: string }[];
}

export class CloudflareApi {
  readonly #baseUrl: string;
  readonly #credentials: Credentials;
  readonly #signal: AbortSignal;

  /** Like wrangler, uses `CLOUDFLARE_API_BASE_URL` instead if it is set. */
  constructor({ credentials, env, signal }: ApiOptions) {
    this.#baseUrl = (env["CLOUDFLARE_API_BASE_URL"] || API_URL).replace(/\/+$/, "");
    this.#credentials = credentials;
    this.#signal = signal;
  }

  accounts(): Promise<readonly Account[]> {
    return this.#call("GET", `/accounts?per_page=50`);
  }

  hasBucket(account: string, name: string): Promise<boolean> {
    return this.#exists(`/accounts/${account}/r2/buckets/${name}`);
  }

  /** @param region R2's location hint; `undefined`: close to the caller. */
  async createBucket(account: string, name: string, region: string | undefined): Promise<void> {
    const hint = region === undefined ? {} : { locationHint: region };
    await this.#call("POST", `/accounts/${account}/r2/buckets`, { name, ...hint });
  }

  async deleteBucket(account: string, name: string): Promise<void> {
    await this.#call("DELETE", `/accounts/${account}/r2/buckets/${name}`);
  }

  /** Finds the id of the namespace with this title. */
  async findNamespace(account: string, title: string): Promise<string | undefined> {
    const path = `/accounts/${account}/storage/kv/namespaces`;
    const isWanted = (namespace: { title: string }): boolean => namespace.title === title;
    return (await this.#findInPages<{ id: string; title: string }>(path, isWanted))?.id;
  }

  async createNamespace(account: string, title: string): Promise<string> {
    const path = `/accounts/${account}/storage/kv/namespaces`;
    return (await this.#call<{ id: string }>("POST", path, { title })).id;
  }

  async deleteNamespace(account: string, id: string): Promise<void> {
    await this.#call("DELETE", `/accounts/${account}/storage/kv/namespaces/${id}`);
  }

  /** Finds the id of the queue with this name. */
  async findQueue(account: string, name: string): Promise<string | undefined> {
    const path = `/accounts/${account}/queues`;
    const isWanted = (queue: { queue_name: string }): boolean => queue.queue_name === name;
    return (await this.#findInPages<{ queue_id: string; queue_name: string }>(path, isWanted))?.queue_id;
  }

  async createQueue(account: string, name: string): Promise<void> {
    await this.#call("POST", `/accounts/${account}/queues`, { queue_name: name });
  }

  async deleteQueue(account: string, id: string): Promise<void> {
    await this.#call("DELETE", `/accounts/${account}/queues/${id}`);
  }

  async hasWorker(account: string, name: string): Promise<boolean> {
    return (await this.findWorker(account, name)) !== undefined;
  }

  /** `undefined` if there is no Worker with this name. */
  async findWorker(account: string, name: string): Promise<DeployedWorker | undefined> {
    const path = `/accounts/${account}/workers/scripts`;
    const scripts = await this.#call<readonly { id: string; migration_tag?: string }[]>("GET", path);
    const found = scripts.find(({ id }) => id === name);
    return found === undefined ? undefined : { migrationTag: found.migration_tag };
  }

  /** Deletes the Worker together with all data of its objects. */
  async deleteWorker(account: string, name: string): Promise<void> {
    await this.#call("DELETE", `/accounts/${account}/workers/scripts/${name}?force=true`);
  }

  async secretNames(account: string, worker: string): Promise<readonly string[]> {
    const path = `/accounts/${account}/workers/scripts/${worker}/secrets`;
    return (await this.#call<readonly { name: string }[]>("GET", path)).map(({ name }) => name);
  }

  async putSecret(account: string, worker: string, name: string, text: string): Promise<void> {
    const path = `/accounts/${account}/workers/scripts/${worker}/secrets`;
    await this.#call("PUT", path, { name, text, type: "secret_text" });
  }

  /** The account's subdomain of `workers.dev`; `undefined` if it has none yet. */
  async subdomain(account: string): Promise<string | undefined> {
    const path = `/accounts/${account}/workers/subdomain`;
    const { status, envelope } = await this.#send<{ subdomain?: string } | null>("GET", path);
    return status === 200 ? (envelope.result?.subdomain ?? undefined) : undefined;
  }

  async #findInPages<Item>(path: string, isWanted: (item: Item) => boolean): Promise<Item | undefined> {
    for (let page = 1; page <= PAGES_MAX; page += 1) {
      const found = await this.#call<readonly Item[]>("GET", `${path}?per_page=${PAGE}&page=${page}`);
      const item = found.find(isWanted);
      if (item !== undefined || found.length < PAGE) return item;
    }
    return undefined;
  }

  async #exists(path: string): Promise<boolean> {
    const { status, envelope } = await this.#send("GET", path);
    if (status !== 200 && status !== 404) throw refusal(status, envelope, path);
    return status === 200;
  }

  async #call<Result>(method: string, path: string, body?: object): Promise<Result> {
    const { status, envelope } = await this.#send<Result>(method, path, body);
    if (status < 200 || status > 299) throw refusal(status, envelope, path);
    return envelope.result;
  }

  async #send<Result>(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; envelope: Envelope<Result> }> {
    const headers = { ...this.#credentials, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(ANSWER_MS)]);
    try {
      const init = { method, headers, signal, body: body === undefined ? null : JSON.stringify(body) };
      const response = await fetch(this.#baseUrl + path, init);
      const text = await response.text();
      return { status: response.status, envelope: parseEnvelope<Result>(text) };
    } catch (error) {
      this.#signal.throwIfAborted();
      throw new CliError(`Cloudflare's API at ${this.#baseUrl} did not answer.`, {
        code: "cloudflare-unreachable",
        why: reasonOf(error),
        fix: "check the network connection",
        exitCode: EXIT.unavailable,
        cause: error,
      });
    }
  }
}

function parseEnvelope<Result>(text: string): Envelope<Result> {
  try {
    return JSON.parse(text) as Envelope<Result>;
  } catch {
    return { result: undefined as Result };
  }
}

function refusal(status: number, { errors = [] }: Envelope<unknown>, path: string): CliError {
  const [error] = errors;
  return new CliError(`Cloudflare's API answered with status ${status}.`, {
    code: "cloudflare-refused",
    why: `${error === undefined ? "No reason was given" : `${error.message} (${error.code})`}. Path: ${path.split("?")[0]}`,
    fix: fixOf(status, error?.code, path),
    exitCode: status === 401 || status === 403 ? EXIT.refused : status >= 500 ? EXIT.unavailable : EXIT.failed,
  });
}

function fixOf(status: number, code: number | undefined, path: string): string {
  const without = path.includes("/r2/")
    ? ", or use --no-bucket"
    : path.includes("/queues")
      ? ", or use --no-queue"
      : "";
  if (code === R2_DISABLED) return `enable R2 in Cloudflare's dashboard${without}`;
  if (status !== 401 && status !== 403) return `correct the cause${without}`;
  return (
    "use a token that may edit Workers Scripts, Workers R2 Storage, Workers KV Storage and Queues of the account, run " +
    `npx wrangler login${without}`
  );
}
