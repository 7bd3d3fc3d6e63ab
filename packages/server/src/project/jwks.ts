/** The public keys of a project's own issuer: cached, fetched again at most twice a minute, within limits. */

import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from "jose";

const CACHE_MS = 600_000;
const COOL_DOWN_MS = 30_000;
const FETCH_MS_MAX = 3_000;
const BYTES_MAX = 64 * 1024;
const KEY_SETS_MAX = 256;

const keySets = new Map<string, JWTVerifyGetKey>();

/** Kept for the life of the isolate, the least recently made thrown out first. */
export function jwksOf(url: string): JWTVerifyGetKey {
  const known = keySets.get(url);
  if (known !== undefined) return known;
  const keySet = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: CACHE_MS,
    cooldownDuration: COOL_DOWN_MS,
    timeoutDuration: FETCH_MS_MAX,
    [customFetch]: politeFetch(),
  });
  const [oldest] = keySets.keys();
  if (keySets.size >= KEY_SETS_MAX && oldest !== undefined) keySets.delete(oldest);
  keySets.set(url, keySet);
  return keySet;
}

/** jose waits between fetches that succeed. After one that failed we do, or every bad token would be a fetch. */
function politeFetch(): (url: string, init: RequestInit) => Promise<Response> {
  let notBeforeMs = 0;
  return async (url, init) => {
    if (Date.now() < notBeforeMs) throw new Error("The issuer's keys could not be fetched a moment ago.");
    try {
      return Response.json(await fetchKeySet(url, init));
    } catch (error) {
      notBeforeMs = Date.now() + COOL_DOWN_MS;
      throw error;
    }
  };
}

async function fetchKeySet(url: string, init: RequestInit): Promise<{ keys: unknown[] }> {
  const response = await fetch(url, init);
  if (response.status !== 200) throw new Error(`The issuer answered ${response.status}.`);
  const json: unknown = JSON.parse(await readText(response));
  const keys = typeof json === "object" && json !== null && "keys" in json ? json.keys : undefined;
  if (!Array.isArray(keys)) throw new Error("The issuer's answer is no key set.");
  return { keys };
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > BYTES_MAX) throw new Error("The issuer's key set is too large.");
  }
  return text + decoder.decode();
}
