/**
 * Verifies tokens: JWTs that are signed with one of the project's secrets (HS256) or by its own issuer (RS256, ES256, EdDSA).
 * The algorithm decides which keys may verify a token, and the two sets never overlap: a public key is never used as an HMAC
 * key.
 */

import { wallMs } from "@durable-streams-cloudflare/core/kit/time/clock";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import {
  parseRights,
  RIGHTS_MAX,
  type Rights,
  type RightsClaims,
  type Scope,
} from "@durable-streams-cloudflare/core/project/rights";
import { isPlainLine, refuse, utf8Length, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";
import {
  base64url,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  SignJWT,
  type JWTVerifyOptions,
  type JWTPayload,
} from "jose";

import type { Fetch } from "../outbound/bounded-fetch.ts";
import { hasDuplicateKeys } from "./json-keys.ts";
import { jwksOf } from "./jwks.ts";

/** What a verified token allows. */
export interface TokenClaims extends Rights {
  /** When the token stops being accepted, in ms since the epoch. */
  readonly expiresAtMs: number;
  readonly by: Signer;
}

/** Who is behind a verified token. */
export interface Signer {
  /**
   * The key that signed the token: the `kid` of a secret, or `issuer:` followed by the `kid` of the issuer's key. `proxy`: a
   * trusted proxy has verified the token.
   */
  readonly kid: string | null;
  /** The claim `user`: whom the token was issued to. */
  readonly user: string | null;
}

/** The signer of a request that needed no token. */
export const NOBODY: Signer = { kid: null, user: null };

interface Verified {
  readonly payload: JWTPayload;
  readonly kid: string;
}

const ISSUER_ALGORITHMS = ["RS256", "ES256", "EdDSA"];
const HEADER_TYPES: ReadonlySet<unknown> = new Set([undefined, "JWT", "jwt", "at+jwt"]);
/** The `typ` of a token that stands in a URL. No other is taken from there, and this one from nowhere else. */
const READ_URL_TYPE = "read-url+jwt";
const TOKEN_BYTES_MAX = 8 * 1024;
/** How far the clocks of issuer and server may differ, for `exp` and `nbf` alike. */
const SKEW_SECONDS = 30;
/** So an `exp` in milliseconds is found out rather than good for ever. */
const TOKEN_SECONDS_MAX = 10 * 366 * 24 * 3_600;
/** The longest lifetime of a signed read URL, whoever signs it. */
export const READ_URL_SECONDS_MAX = 7 * 24 * 3_600;
const EXPECTED: Readonly<Record<keyof RightsClaims, string>> = {
  scope: "The token's scope is not valid.",
  stream_id: "The token's stream_id is not valid.",
  rights: `rights must be 1 to ${RIGHTS_MAX} objects {streams or session, scope}, and excludes scope and stream_id.`,
};
const USER_BYTES_MAX = 256;
/** An issuer may name its keys at any length, and what they made is stored with their name. */
const ISSUER_KID_MAX = 128;

/** Verifies the token of an `Authorization` header. */
export async function verifyToken(
  token: string,
  project: Project,
  send?: Fetch,
): Promise<Result<{ claims: TokenClaims }>> {
  const verified = await verify(token, project, (type) => HEADER_TYPES.has(type), send);
  return verified.ok ? claimsOf(verified, project) : verified;
}

/** Verifies the token of a signed read URL, which allows reading one stream and nothing else. */
export async function verifyReadUrlToken(
  token: string,
  project: Project,
  send?: Fetch,
): Promise<Result<{ claims: TokenClaims }>> {
  const verified = await verify(token, project, (type) => type === READ_URL_TYPE, send);
  if (!verified.ok) return verified;
  const { iat, stream_id: name } = verified.payload;
  if (iat === undefined || iat * 1000 < project.record.readUrlsFromMs) return refuseToken("The URL has been revoked.");
  const checked = claimsOf(verified, project);
  if (!checked.ok) return checked;
  const [{ scopes } = { scopes: new Set<Scope>() }] = checked.claims.rights;
  if (typeof name !== "string" || scopes.size !== 1 || !scopes.has("read")) return refuseToken();
  if (!isWithinAWeek(verified.payload)) return refuseToken("The URL's lifetime is longer than a week.");
  // Exactly: a name may itself end in `*`.
  const rights = [{ scopes, isFor: (stream: string) => stream === name }];
  return { ok: true, claims: { ...checked.claims, rights } };
}

/** Whoever holds the secret may sign URLs by himself, and could date them from the future. */
function isWithinAWeek({ iat = Infinity, exp = Infinity }: JWTPayload): boolean {
  return iat <= wallMs() / 1000 + SKEW_SECONDS && exp - iat <= READ_URL_SECONDS_MAX;
}

/** Makes the token of a signed read URL, signed with the project's newest secret. */
export function signReadUrlToken(project: Project, stream: string, seconds: number, nowMs: number): Promise<string> {
  const [newest] = project.keys;
  if (newest === undefined) throw new Error("A project must have a secret.");
  const [kid, key] = newest;
  const nowSeconds = Math.floor(nowMs / 1000);
  const issuedAt = Math.max(nowSeconds, project.record.readUrlsFromMs / 1000);
  return new SignJWT({ sub: project.record.name, scope: "read", stream_id: stream, ...audienceOf(project) })
    .setProtectedHeader({ alg: "HS256", kid, typ: READ_URL_TYPE })
    .setIssuedAt(issuedAt)
    .setExpirationTime(nowSeconds + seconds)
    .sign(key);
}

/**
 * The refusal of a token that is not valid. The text is the same for every cause, because it must not reveal which projects
 * exist.
 */
export function refuseToken(detail = "The token is not valid on this server."): Refusal {
  return refuse("unauthenticated", detail, { headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' } });
}

/** The claims are known to be genuine, so their owner may know. */
export function refuseExpired(): Refusal {
  const headers = { "WWW-Authenticate": 'Bearer error="invalid_token", error_description="expired"' };
  return refuse("token-expired", "The token has expired.", {
    hint: "Get a new token and repeat the request with it.",
    headers,
  });
}

async function verify(
  token: string,
  project: Project,
  isType: (type: string | undefined) => boolean,
  send: Fetch | undefined,
): Promise<Result<Verified>> {
  const header = token.length <= TOKEN_BYTES_MAX ? headerOf(token) : undefined;
  if (header === undefined || !isType(header.typ)) return refuseToken();
  try {
    if (header.alg === "HS256") return await verifyBySecret(token, project, header.kid);
    return await verifyByIssuer(token, project, header, send);
  } catch (error) {
    if (error instanceof errors.JWTExpired) return refuseExpired();
    if (error instanceof errors.JWTClaimValidationFailed)
      return refuseToken(`The token's ${error.claim} is not valid.`);
    return refuseToken();
  }
}

/** `undefined` when the token is not even one. */
function headerOf(token: string): { alg?: string; kid?: string; typ?: string } | undefined {
  try {
    const [header = "", payload = "", signature = ""] = token.split(".");
    // One signature has one spelling: jose passes over padding and over bits that stand for nothing.
    if (base64url.encode(base64url.decode(signature)) !== signature) return undefined;
    if (hasDuplicateKeys(decodeText(header)) || hasDuplicateKeys(decodeText(payload))) return undefined;
    return decodeProtectedHeader(token);
  } catch {
    return undefined;
  }
}

/** The text that base64url encodes as UTF-8. */
export function decodeText(base64url: string): string {
  const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
}

/** A token names its secret; one that does not is tried with each. */
async function verifyBySecret(token: string, project: Project, kid: string | undefined): Promise<Result<Verified>> {
  const options = { ...optionsOf(project), algorithms: ["HS256"] };
  for (const [name, key] of project.keys) {
    if (kid !== undefined && kid !== name) continue;
    try {
      return { ok: true, payload: (await jwtVerify(token, key, options)).payload, kid: name };
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  return refuseToken();
}

async function verifyByIssuer(
  token: string,
  project: Project,
  { alg: algorithm, kid = "" }: { alg?: string; kid?: string },
  send: Fetch | undefined,
): Promise<Result<Verified>> {
  const { issuer } = project.record;
  if (issuer === null || algorithm === undefined || !ISSUER_ALGORITHMS.includes(algorithm)) return refuseToken();
  const options = { ...optionsOf(project), algorithms: [algorithm], issuer: issuer.issuer };
  try {
    const { payload } = await jwtVerify(token, jwksOf(issuer.jwksUrl, send), options);
    return { ok: true, payload, kid: `issuer:${kid.slice(0, ISSUER_KID_MAX)}` };
  } catch (error) {
    // Whatever else fails is the issuer's: it does not answer, or has keys that are none.
    if (error instanceof errors.JOSEError) throw error;
    return refuse("unavailable", "The keys of the project's token issuer could not be fetched.", {
      headers: { "Retry-After": "5" },
    });
  }
}

function optionsOf(project: Project): JWTVerifyOptions {
  return { clockTolerance: SKEW_SECONDS, requiredClaims: ["sub", "exp"], ...audienceOption(project) };
}

function audienceOption({ record }: Project): JWTVerifyOptions {
  return record.audience === null ? {} : { audience: record.audience };
}

function audienceOf({ record }: Project): JWTPayload {
  return record.audience === null ? {} : { aud: record.audience };
}

function claimsOf({ payload, kid }: Verified, project: Project): Result<{ claims: TokenClaims }> {
  return payload.sub === project.record.name ? checkClaims(payload, kid) : refuseToken();
}

/**
 * Checks what genuine claims allow, whoever has verified them.
 * @param kid the key that vouches for them.
 */
export function checkClaims(payload: JWTPayload, kid: string): Result<{ claims: TokenClaims }> {
  const { exp, user = null } = payload;
  if (!isInTime(exp)) return refuseToken("The token's exp is missing or more than ten years in the future.");
  if (user !== null && !isUser(user)) return refuseToken("The token's user is not valid.");
  const rights = parseRights(payload as RightsClaims);
  if (typeof rights === "string") return refuseToken(EXPECTED[rights]);
  return { ok: true, claims: { ...rights, expiresAtMs: (exp + SKEW_SECONDS) * 1000, by: { kid, user } } };
}

/** Whether claims have expired, for claims that `jwtVerify` has not seen. */
export function isExpired({ exp = Infinity }: JWTPayload): boolean {
  return exp <= Math.floor(wallMs() / 1000) - SKEW_SECONDS;
}

/** JSON has numbers that are infinite, such as 1e999. */
function isInTime(exp: number | undefined): exp is number {
  return exp !== undefined && exp <= wallMs() / 1000 + TOKEN_SECONDS_MAX;
}

/** Whether a value is a valid claim `user`: one line of printable text, short enough to be stored with each append. */
export function isUser(user: unknown): user is string {
  if (typeof user !== "string" || user === "" || !user.isWellFormed()) return false;
  return utf8Length(user) <= USER_BYTES_MAX && isPlainLine(user);
}
