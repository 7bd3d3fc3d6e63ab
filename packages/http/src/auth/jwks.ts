/**
 * The public keys of a project's own token issuer (JWKS). They are cached, and fetched at most twice a minute, by one request
 * at a time, with limits on time and size.
 */

import { monotonicMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import { wait } from "@durable-streams-cloudflare/core/kit/yield";
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";

import { boundedFetch, type Fetch } from "../outbound/bounded-fetch.ts";

const CACHE_MS = 600_000;
const COOL_DOWN_MS = 30_000;
const FETCH_MS_MAX = 3_000;
/** Only the administrator can have set an issuer on this machine. */
const BOUNDS = { timeoutMs: FETCH_MS_MAX, bytesMax: 64 * 1024, allowsLoopback: true };
const KEY_SETS_MAX = 256;
const POLL_MS = 20;

/** The issuer's keys could not be fetched, so the token could not be verified. */
export class IssuerUnavailable extends Error {}

/** What fetching an issuer's keys depends on, so that tests can replace it. */
export interface IssuerPorts {
  readonly fetch?: Fetch;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

interface Known {
  readonly find: JWTVerifyGetKey;
  readonly fetchedAtMs: number;
}

/** By who fetches them: two servers in one process may have different rules. */
const keySetsOf = new WeakMap<object, Map<string, IssuerKeys>>();
const BY_PLATFORM = {};

const PORTS: IssuerPorts = {
  now: monotonicMs,
  sleep: wait,
};

/**
 * The key set of an issuer's JWKS URL. Key sets are kept while the isolate runs; above a limit, the oldest is dropped first.
 * @param send fetches it; `fetch` where the host does not say otherwise.
 */
export function jwksOf(url: string, send?: Fetch): JWTVerifyGetKey {
  const keySets = keySetsOf.get(send ?? BY_PLATFORM) ?? new Map<string, IssuerKeys>();
  keySetsOf.set(send ?? BY_PLATFORM, keySets);
  const known = keySets.get(url);
  if (known !== undefined) return known.find;
  const keySet = new IssuerKeys(url, send === undefined ? PORTS : { ...PORTS, fetch: send });
  const [oldest] = keySets.keys();
  if (keySets.size >= KEY_SETS_MAX && oldest !== undefined) keySets.delete(oldest);
  keySets.set(url, keySet);
  return keySet.find;
}

/**
 * The keys of one issuer. In a Worker, a request cannot await another request's fetch, so requests that arrive during a fetch
 * poll its result every `POLL_MS`. Otherwise a thousand tokens with made-up key ids would cause a thousand requests to the
 * issuer.
 */
export class IssuerKeys {
  readonly #url: string;
  readonly #ports: IssuerPorts;
  #known: Known | undefined;
  #notBeforeMs = 0;
  #isFetchingUntilMs = 0;

  constructor(url: string, ports: IssuerPorts) {
    this.#url = url;
    this.#ports = ports;
  }

  /**
   * Finds the key that verifies a token.
   * @throws IssuerUnavailable if the keys cannot be fetched; an error of `jose` if none of them is for the token.
   */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const known = await this.#youngerThan(CACHE_MS);
    try {
      return await known.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The issuer may have a new one.
      const newer = await this.#youngerThan(COOL_DOWN_MS);
      if (newer === known) throw error;
      return newer.find(header, token);
    }
  };

  async #youngerThan(ageMs: number): Promise<Known> {
    const { now, sleep } = this.#ports;
    for (const endMs = now() + FETCH_MS_MAX; now() <= endMs; await sleep(POLL_MS)) {
      if (this.#known !== undefined && now() - this.#known.fetchedAtMs < ageMs) return this.#known;
      if (now() < this.#notBeforeMs)
        throw new IssuerUnavailable(
          "The issuer's keys could not be fetched a moment ago, so they are not fetched again yet.",
        );
      // The request that fetches may have been cancelled, and would then never say so.
      if (now() >= this.#isFetchingUntilMs) return this.#fetch();
    }
    throw new IssuerUnavailable("Another request is fetching the issuer's keys and did not finish in time.");
  }

  async #fetch(): Promise<Known> {
    this.#isFetchingUntilMs = this.#ports.now() + FETCH_MS_MAX;
    try {
      const find = createLocalJWKSet(await fetchKeySet(this.#url, this.#ports.fetch));
      this.#known = { find, fetchedAtMs: this.#ports.now() };
      return this.#known;
    } catch (cause) {
      // Or every bad token would be a fetch.
      this.#notBeforeMs = this.#ports.now() + COOL_DOWN_MS;
      throw new IssuerUnavailable("The issuer's keys could not be fetched.", { cause });
    } finally {
      this.#isFetchingUntilMs = 0;
    }
  }
}

async function fetchKeySet(url: string, fetch: IssuerPorts["fetch"]): Promise<JSONWebKeySet> {
  const headers = { Accept: "application/json, application/jwk-set+json" };
  const { status, text } = await boundedFetch(url, { headers }, BOUNDS, fetch);
  if (status !== 200) throw new Error(`The issuer answered with status ${status}.`);
  if (text === null) throw new Error("The issuer's key set is too large.");
  // createLocalJWKSet checks what it is given.
  return JSON.parse(text) as JSONWebKeySet;
}
