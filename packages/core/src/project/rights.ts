/**
 * What a token's claims allow: either `scope`, for the whole project or for the streams of `stream_id`, or `rights`, a list of
 * scopes for different streams and sessions.
 */

import { isSessionId } from "@durable-streams-cloudflare/protocol";

import { isPattern, matchesPattern } from "./stream-pattern.ts";

export type Scope = "read" | "write" | "manage";

export interface Right {
  readonly scopes: ReadonlySet<Scope>;
  isFor(stream: string): boolean;
}

export interface Rights {
  /** Whether they are for the whole project rather than for some of its streams. */
  readonly isProjectWide: boolean;
  readonly rights: readonly Right[];
}

/** Of a token, where they may be anything. */
export interface RightsClaims {
  readonly scope?: unknown;
  readonly stream_id?: unknown;
  readonly rights?: unknown;
}

type Refused = keyof RightsClaims;

const SCOPES: readonly Scope[] = ["read", "write", "manage"];
export const RIGHTS_MAX = 64;

/** @returns the name of the claim that is invalid. */
export function parseRights(claims: RightsClaims): Rights | Refused {
  const { scope, stream_id: pattern, rights } = claims;
  if (rights !== undefined) return parseList(claims);
  if (typeof scope !== "string") return "scope";
  if (pattern !== undefined && !isPattern(pattern)) return "stream_id";
  const isFor = (stream: string): boolean => pattern === undefined || matchesPattern(pattern, stream);
  // Words that are no scope of ours are an issuer's own, and give nothing.
  const words = new Set(scope.split(" "));
  const scopes = new Set(SCOPES.filter((candidate) => words.has(candidate)));
  return { isProjectWide: pattern === undefined, rights: [{ scopes, isFor }] };
}

/** Whether the rights allow this. Whoever manages may also read and write. */
export function includesScope(rights: readonly Right[], scope: Scope): boolean {
  return rights.some(({ scopes }) => scopes.has(scope) || scopes.has("manage"));
}

/** Beside `rights` nothing else gives any: two claims could be meant to narrow each other. */
function parseList({ rights: list, scope, stream_id: pattern }: RightsClaims): Rights | Refused {
  if (scope !== undefined || pattern !== undefined) return "rights";
  if (!Array.isArray(list) || list.length === 0 || list.length > RIGHTS_MAX) return "rights";
  const rights = list.map((item) => parseRight(item));
  return rights.every((right) => right !== undefined) ? { isProjectWide: false, rights } : "rights";
}

function parseRight(item: unknown): Right | undefined {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return undefined;
  const { scope, streams, session, ...unknown } = item as Readonly<Record<string, unknown>>;
  const scopes = parseScopes(scope);
  if (scopes === undefined || Object.keys(unknown).length > 0) return undefined;
  if (session === undefined) {
    return isPattern(streams) ? { scopes, isFor: (stream) => matchesPattern(streams, stream) } : undefined;
  }
  if (streams !== undefined || !isSessionId(session)) return undefined;
  // Whoever decides what comes into a session may read it.
  if (scopes.has("write")) scopes.add("read");
  return { scopes, isFor: (stream) => stream === session };
}

/** Here every word is meant for this server. */
function parseScopes(scope: unknown): Set<Scope> | undefined {
  if (typeof scope !== "string") return undefined;
  const scopes = new Set(scope.split(" ").map((word) => SCOPES.find((known) => known === word)));
  return scopes.has(undefined) ? undefined : (scopes as Set<Scope>);
}
