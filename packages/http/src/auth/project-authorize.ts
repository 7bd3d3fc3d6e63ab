/**
 * `AUTH_MODE=project` and `trusted-header`: authorizes requests by their claims, and by the project's signed read URLs, reader
 * keys and public streams.
 */

import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { isReaderKey, isReaderKeyForm } from "@durable-streams-cloudflare/core/project/reader-key";
import { includesScope } from "@durable-streams-cloudflare/core/project/rights";
import { matchesPattern } from "@durable-streams-cloudflare/core/project/stream-pattern";
import {
  refuse,
  REGISTRY_STREAM,
  RESERVED_SEGMENT,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import { refuseStrangers, Strangers } from "../limits/strangers.ts";
import type { Fetch } from "../outbound/bounded-fetch.ts";
import type { HttpRequest } from "../ports.ts";
import { noteCaller, type Shown } from "../requests/request-notes.ts";
import type { Authorize, AuthorizeInput, Granted } from "./authorize.ts";
import type { ClaimsSource } from "./claims-source.ts";
import type { Registry } from "./registry.ts";
import { NOBODY, refuseToken, verifyReadUrlToken, type TokenClaims } from "./token.ts";
import { VerifiedTokens } from "./verified-tokens.ts";

/** Query parameters of reads, for clients that send no headers. */
export const TOKEN_PARAMETER = "token";
export const READER_KEY_PARAMETER = "key";

/** The parts that look up projects by name. */
export interface ProjectFinder {
  readonly registry: Registry;
  readonly strangers: Strangers;
  /** Where the claims of requests are. */
  readonly claims: ClaimsSource;
  /** Fetches the keys of token issuers. Without it, the platform's `fetch` does. */
  readonly send?: Fetch | undefined;
}

interface Ports extends ProjectFinder {
  readonly urlTokens: VerifiedTokens;
}

/** Makes the authorization of requests by claims. */
export function projectAuthorize(finder: ProjectFinder): Authorize {
  const urlTokens = new VerifiedTokens((token, project) => verifyReadUrlToken(token, project, finder.send));
  const ports = { ...finder, urlTokens };
  // Whoever was let in and is asked about again is no stranger: neither limited as one, nor counted.
  const unlimited = { ...ports, strangers: new Strangers(Infinity, false) };
  return (input) => authorizeBy(ports, input, () => authorizeBy(unlimited, input));
}

async function authorizeBy(
  ports: Ports,
  input: AuthorizeInput,
  again?: () => Promise<Granted | Refusal>,
): Promise<Granted | Refusal> {
  const { strangers } = ports;
  const found = await findProject(ports, input.project, input.request);
  if (!found.ok) return found;
  const { project } = found;
  if (project === undefined) return strangers.refuse(input.request, refuseNobody(input.request, ports));
  const decision = await decide(input, project, ports);
  if (!decision.ok) return strangers.refuse(input.request, decision);
  const { limits, defaults } = project.record;
  return { ...decision, limits, defaults, ...(again === undefined ? {} : { again }) };
}

async function decide(input: AuthorizeInput, project: Project, ports: Ports): Promise<Granted | Refusal> {
  if (isOfAllStreams(input.stream)) return authorizeProjectWide(input, project, ports);
  const { isBearerOnly = false } = input;
  const isPublic = project.record.publicStreams.some((pattern) => matchesPattern(pattern, input.stream));
  const { claims } = ports;
  if (isPublic && !isBearerOnly && input.scope === "read") return authorizePublic(input, project, ports);
  if (claims.isIn(input.request))
    return authorizeClaims(input, claims.shown, await claims.verify(input.request, project));
  return isRead(input.request) && !isBearerOnly
    ? authorizeUrl(input, project, ports)
    : refuseNobody(input.request, ports);
}

/**
 * Everybody may read the stream. Whoever has a right of their own to it is counted with the project's tokens, not with
 * everybody.
 */
async function authorizePublic(input: AuthorizeInput, project: Project, { claims }: Ports): Promise<Granted> {
  const granted: Granted = { ok: true, isPublic: true, by: NOBODY };
  if (claims.isIn(input.request)) {
    const verified = await claims.verify(input.request, project);
    if (verified.ok && grant(input, verified.claims).ok) {
      noteCaller(input.request, claims.shown, verified.claims.by);
      return granted;
    }
  }
  noteCaller(input.request, "public");
  return { ...granted, budget: "public" };
}

/**
 * Finds a project. Refuses while the registry cannot be read, and when this client has exhausted its limit of look-ups without
 * a valid token (`Strangers`).
 */
export async function findProject(
  { registry, strangers }: ProjectFinder,
  name: string,
  request: HttpRequest,
): Promise<Result<{ project: Project | undefined }>> {
  const isKnown = registry.knows(name);
  if (!isKnown && strangers.isOver(request)) return refuseStrangers();
  const found = await registry.project(name);
  // Counted here, whatever the answer will be: some that need no right look a project up, too.
  if (!isKnown && found.ok && found.project === undefined) strangers.count(request);
  return found;
}

/**
 * The refusal of a request that shows no valid right. It is the same whether or not the project exists, so that nobody can find
 * out names by trying.
 */
export function refuseNobody(request: HttpRequest, { claims }: Pick<ProjectFinder, "claims">): Refusal {
  if (claims.isIn(request)) return claims.refuseForeign(request);
  if (!isRead(request)) return claims.refuseMissing();
  const credential = parseCredential(request.url);
  if (!credential.ok) return credential;
  return credential.kind === "none" ? claims.refuseMissing() : refuseToken();
}

/** The registry and the subscriptions of a project name any of its streams. */
function isOfAllStreams(stream: string): boolean {
  return stream === REGISTRY_STREAM || stream.startsWith(`${RESERVED_SEGMENT}/`);
}

/** Only for those who may read all streams: no pattern, read URL or key opens it. */
async function authorizeProjectWide(
  { request, stream, scope }: AuthorizeInput,
  project: Project,
  ports: Ports,
): Promise<Granted | Refusal> {
  const source = ports.claims;
  if (!source.isIn(request)) return refuseNobody(request, ports);
  const verified = await source.verify(request, project);
  if (!verified.ok) return verified;
  const { claims } = verified;
  noteCaller(request, source.shown, claims.by);
  if (!claims.isProjectWide)
    return refuse("forbidden", "The token is valid for certain streams only, not for the whole project.");
  return grant({ request, project: project.record.name, stream, scope }, claims);
}

function authorizeClaims(
  input: AuthorizeInput,
  shown: Shown,
  verified: Result<{ claims: TokenClaims }>,
): Granted | Refusal {
  if (!verified.ok) return verified;
  noteCaller(input.request, shown, verified.claims.by);
  return grant(input, verified.claims);
}

function grant({ stream, scope }: AuthorizeInput, claims: TokenClaims): Granted | Refusal {
  const rights = claims.rights.filter((right) => right.isFor(stream));
  if (rights.length === 0) return refuse("forbidden", "The token is not valid for this stream.");
  if (!includesScope(rights, scope)) {
    return refuse("forbidden", `The token's scope does not include ${scope}.`, {
      headers: { "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${scope}"` },
    });
  }
  return { ok: true, isPublic: false, expiresAtMs: claims.expiresAtMs, by: claims.by };
}

async function authorizeUrl(input: AuthorizeInput, project: Project, ports: Ports): Promise<Granted | Refusal> {
  const credential = parseCredential(input.request.url);
  if (!credential.ok) return credential;
  switch (credential.kind) {
    case "none":
      return ports.claims.refuseMissing();
    case "key":
      return authorizeKey(input, ports, credential.text);
    case "token":
      return asPublic(authorizeClaims(input, "read-url", await ports.urlTokens.verify(credential.text, project)));
  }
}

/** What stands in the query of a URL for clients that send no headers. */
function parseCredential(url: string): Result<{ kind: "none" | "token" | "key"; text: string }> {
  const { searchParams } = new URL(url);
  const tokens = searchParams.getAll(TOKEN_PARAMETER);
  const keys = searchParams.getAll(READER_KEY_PARAMETER);
  const [text, ...more] = [...tokens, ...keys];
  if (text === undefined) return { ok: true, kind: "none", text: "" };
  if (more.length > 0) return refuseToken("The URL has more than one token or key.");
  return { ok: true, kind: tokens.length === 0 ? "key" : "token", text };
}

/** Whoever has the URL reads: such reads have a limit of their own. */
function asPublic(decision: Granted | Refusal): Granted | Refusal {
  return decision.ok ? { ...decision, budget: "public" } : decision;
}

async function authorizeKey(
  input: AuthorizeInput,
  { registry, strangers }: ProjectFinder,
  key: string,
): Promise<Granted | Refusal> {
  // What has not the form of a key is none, and a stranger may not have the registry read without end.
  if (!isReaderKeyForm(key)) return refuseToken();
  if (!registry.knowsReaderKey(input.project, input.stream) && strangers.isOver(input.request))
    return refuseStrangers();
  const found = await registry.readerKey(input.project, input.stream);
  if (!found.ok) return found;
  const { readerKey } = found;
  if (readerKey === undefined || !(await isReaderKey(key, readerKey.hash))) return refuseToken();
  noteCaller(input.request, "reader-key");
  const { incarnation } = readerKey;
  return { ok: true, isPublic: true, isRevocable: true, incarnation, by: NOBODY, budget: "public" };
}

function isRead({ method }: HttpRequest): boolean {
  return method === "GET" || method === "HEAD";
}
