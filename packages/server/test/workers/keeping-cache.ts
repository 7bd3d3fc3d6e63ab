/**
 * A cache as eager as RFC 9111 lets it be: what may be given without asking is given for ever, however long it was to be
 * fresh for; what must be asked for is asked for by its entity tag.
 */
export class KeepingCache {
  readonly #fetch: (query: string, init?: RequestInit) => Promise<Response>;
  readonly #keptBy: "all" | "one";
  readonly #kept = new Map<string, Kept[]>();
  /** Answers that the origin knew nothing of. */
  hits = 0;

  /** @param keptBy who has this cache: `all` share it, or `one` browser, which may keep what is private as well. */
  constructor(fetch: (query: string, init?: RequestInit) => Promise<Response>, keptBy: "all" | "one" = "all") {
    this.#fetch = fetch;
    this.#keptBy = keptBy;
  }

  async get(query: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const request = new Headers(headers);
    const kept = this.#kept.get(query)?.find(({ vary }) => isSame(vary, request));
    if (kept?.isFresh === true) {
      this.hits += 1;
      return kept.response.clone();
    }
    const etag = kept?.response.headers.get("ETag") ?? undefined;
    const condition = etag === undefined ? {} : { "If-None-Match": etag };
    const response = await this.#fetch(query, { headers: { ...headers, ...condition } });
    if (response.status === 304 && kept !== undefined) return kept.response.clone();
    return this.#keep(query, request, response);
  }

  #keep(query: string, request: Headers, response: Response): Response {
    const cacheControl = response.headers.get("Cache-Control");
    if (cacheControl === null) throw new Error("A response says nothing to caches.");
    const others = (this.#kept.get(query) ?? []).filter(({ vary }) => !isSame(vary, request));
    this.#kept.set(query, others);
    const isForbidden =
      cacheControl.includes("no-store") || (this.#keptBy === "all" && cacheControl.includes("private"));
    if (response.status !== 200 || isForbidden) return response;
    const names = (response.headers.get("Vary") ?? "").split(",").map((name) => name.trim());
    const vary = names.filter((name) => name !== "").map((name) => [name, request.get(name)] as const);
    others.push({ response: response.clone(), isFresh: !cacheControl.includes("no-cache"), vary });
    return response;
  }
}

interface Kept {
  readonly response: Response;
  readonly isFresh: boolean;
  /** The headers that the answer depends on, as the request had them. */
  readonly vary: readonly (readonly [string, string | null])[];
}

function isSame(vary: Kept["vary"], request: Headers): boolean {
  return vary.every(([name, value]) => request.get(name) === value);
}
