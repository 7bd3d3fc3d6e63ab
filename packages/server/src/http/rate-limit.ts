/** A project's limits for each minute, by the platform's Rate Limiting binding. */

import { refuse, type Refusal } from "@durable-streams-cloudflare/protocol";

import type { ProjectLimits } from "../project/record.ts";

/** The part of the binding that is used here. `delta`: how much this one counts; 1 unless said. */
export interface RateLimiter {
  limit(options: { key: string; delta?: number }): Promise<{ success: boolean }>;
}

/** `limit` of the binding in `wrangler.toml`, per minute: every project's limit is a share of it. */
const BINDING_UNITS = 1_000_000;
const WINDOW_SECONDS = 60;
/** The binding does not say when there is room again; it counts in a window that slides. */
const RETRY_SECONDS = 10;

type LimitName = "requestsPerMinute" | "appendBytesPerMinute";

/** What is counted. `weight`: requests, or bytes. */
interface Counted {
  readonly name: LimitName;
  readonly project: string;
  readonly weight: number;
}

/**
 * Counts against a limit of the project.
 * @returns what to answer when the limit is reached; no promise where there is no limit, which is the usual case.
 */
export function refuseAboveLimit(
  limiter: RateLimiter | undefined,
  limits: ProjectLimits | undefined,
  { name, project, weight }: Counted,
): Promise<Refusal | undefined> | undefined {
  const perMinute = limits?.[name] ?? null;
  if (limiter === undefined || perMinute === null || weight === 0) return undefined;
  return ask(limiter, perMinute, { name, project, weight });
}

async function ask(
  limiter: RateLimiter,
  perMinute: number,
  { name, project, weight }: Counted,
): Promise<Refusal | undefined> {
  const delta = Math.ceil((weight * BINDING_UNITS) / perMinute);
  if (await isBelowLimit(limiter, `${name}:${project}`, delta)) return undefined;
  return refuse("rate-limited", `The project's limit is ${perMinute} ${UNITS[name]} a minute.`, {
    hint: "Try again later, with longer pauses.",
    headers: {
      "Retry-After": String(RETRY_SECONDS),
      "RateLimit-Policy": `"${name}";q=${perMinute};w=${WINDOW_SECONDS}`,
      RateLimit: `"${name}";r=0;t=${RETRY_SECONDS}`,
    },
  });
}

/** A limiter that fails limits nobody: streams are worth more than limits. */
async function isBelowLimit(limiter: RateLimiter, key: string, delta: number): Promise<boolean> {
  try {
    const { success } = await limiter.limit({ key, delta });
    return success;
  } catch {
    return true;
  }
}

const UNITS: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: "requests",
  appendBytesPerMinute: "bytes of appends",
};
