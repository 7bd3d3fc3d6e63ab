/**
 * A shared cache as eager as RFC 9111 lets it be: what may be given without asking is given for ever, however long it was
 * to be fresh for; what must be asked for is asked for by its entity tag.
 */
export class KeepingCache {
  readonly #fetch: (query: string, init?: RequestInit) => Promise<Response>;
  readonly #kept = new Map<string, { readonly response: Response; readonly isFresh: boolean }>();
  /** Answers that the origin knew nothing of. */
  hits = 0;

  constructor(fetch: (query: string, init?: RequestInit) => Promise<Response>) {
    this.#fetch = fetch;
  }

  async get(query: string): Promise<Response> {
    const kept = this.#kept.get(query);
    if (kept?.isFresh === true) {
      this.hits += 1;
      return kept.response.clone();
    }
    const etag = kept?.response.headers.get("ETag") ?? undefined;
    const response = await this.#fetch(query, etag === undefined ? {} : { headers: { "If-None-Match": etag } });
    if (response.status === 304 && kept !== undefined) return kept.response.clone();
    return this.#keep(query, response);
  }

  #keep(query: string, response: Response): Response {
    const cacheControl = response.headers.get("Cache-Control");
    if (cacheControl === null) throw new Error("A response says nothing to caches.");
    this.#kept.delete(query);
    if (response.status !== 200 || /no-store|private/.test(cacheControl)) return response;
    this.#kept.set(query, { response: response.clone(), isFresh: !cacheControl.includes("no-cache") });
    return response;
  }
}
