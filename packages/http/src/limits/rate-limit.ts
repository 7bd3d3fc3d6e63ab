/**
 * Rate limits per minute, of a project and of each of its streams, on a limiter with the interface of the Rate Limiting
 * binding.
 */

import type { ProjectLimits } from "@durable-streams-cloudflare/core/contracts/project-record";
import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

/**
 * The part of the Rate Limiting binding that is used here. `delta` is how much the call counts, a whole number; 1 by default.
 */
export interface RateLimiter {
  limit(options: { key: string; delta?: number }): Promise<{ success: boolean }>;
}

/**
 * The `limit` of the binding in `wrangler.toml`, in units per minute. If a project may make N requests per minute, each of them
 * costs `BINDING_UNITS / N` units.
 */
export const BINDING_UNITS = 1_000_000;
/** The period that a rate limit applies to. */
export const WINDOW_SECONDS = 60;
/** The binding does not say when there is room again; it counts in a window that slides. */
const RETRY_SECONDS = 10;

type LimitName = Exclude<keyof ProjectLimits, "streams" | "storedBytes" | "liveReaders" | "publicLiveReaders">;

/** What is counted. `whose`: the project, or its stream. `weight`: requests, appends, or bytes. */
interface Counted {
  readonly name: LimitName;
  readonly whose: string;
  readonly weight: number;
}

/**
 * The three rate limits of a project: `tokens`, for requests with its tokens; `public`, for reads of public streams and by read
 * URL or reader key; and `management`, for requests to `/v1/projects` and about a source's followers. They are counted
 * separately, so that readers never keep the owner from acting.
 */
export type Budget = "tokens" | "public" | "management";

/** What managers have at the least, so that a low limit of requests never locks them out. */
const MANAGEMENT_PER_MINUTE_MIN = 60;

/** Counts one request to a project, or several that one request stands for. Returns a refusal if the limit is exceeded. */
export function refuseRequest(
  limiter: RateLimiter,
  limits: ProjectLimits | undefined,
  project: string,
  weight = 1,
  budget: Budget = "tokens",
): Promise<Refusal | undefined> | undefined {
  const requestsPerMinute = limits?.requestsPerMinute ?? null;
  switch (budget) {
    case "tokens":
      return refuseAboveLimits(limiter, limits, [{ name: "requestsPerMinute", whose: project, weight }]);
    case "public": {
      // Without a number of its own it has the same one, counted apart.
      const publicRequestsPerMinute = limits?.publicRequestsPerMinute ?? requestsPerMinute;
      return refuseAboveLimits(limiter, { publicRequestsPerMinute }, [
        { name: "publicRequestsPerMinute", whose: project, weight },
      ]);
    }
    case "management": {
      if (requestsPerMinute === null) return undefined;
      const reserve = { requestsPerMinute: Math.max(requestsPerMinute, MANAGEMENT_PER_MINUTE_MIN) };
      return refuseAboveLimits(limiter, reserve, [
        { name: "requestsPerMinute", whose: `${project}/management`, weight },
      ]);
    }
  }
}

/**
 * Counts a request against several limits, one after the other.
 * @returns the refusal by the first limit that is exceeded. Without any limit, which is the usual case, the return value is not
 *   a promise.
 */
export function refuseAboveLimits(
  limiter: RateLimiter,
  limits: ProjectLimits | undefined,
  counted: readonly Counted[],
): Promise<Refusal | undefined> | undefined {
  if (limits === undefined) return undefined;
  const limited = counted.filter(({ name, weight }) => (limits[name] ?? null) !== null && weight > 0);
  return limited.length === 0 ? undefined : askAll(limiter, limits, limited);
}

async function askAll(
  limiter: RateLimiter,
  limits: ProjectLimits,
  counted: readonly Counted[],
): Promise<Refusal | undefined> {
  for (const each of counted) {
    const refusal = await ask(limiter, limits[each.name] ?? Infinity, each);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

async function ask(
  limiter: RateLimiter,
  perMinute: number,
  { name, whose, weight }: Counted,
): Promise<Refusal | undefined> {
  // More than all of it is no more than that: what is above the limit is refused either way.
  const delta = Math.min(BINDING_UNITS, Math.ceil((weight * BINDING_UNITS) / perMinute));
  const { success } = await limiter.limit({ key: `${name}:${whose}`, delta });
  if (success) return undefined;
  return refuse("rate-limited", `The limit is ${perMinute} ${UNITS[name]} per minute.`, {
    hint: "Retry later, and send requests less often.",
    headers: {
      "Retry-After": String(RETRY_SECONDS),
      "RateLimit-Policy": `"${name}";q=${perMinute};w=${WINDOW_SECONDS}`,
      RateLimit: `"${name}";r=0;t=${RETRY_SECONDS}`,
    },
  });
}

const UNITS: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: "requests to the project",
  publicRequestsPerMinute: "requests to the project that use public streams, read URLs or reader keys",
  appendBytesPerMinute: "bytes appended to the project",
  streamAppendsPerMinute: "appends to the stream",
  streamAppendBytesPerMinute: "bytes appended to the stream",
};
