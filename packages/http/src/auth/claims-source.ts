/** Where a request's own claims are: in its bearer token, or in the headers of the proxy that has verified its token. */

import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import type { Fetch } from "../outbound/bounded-fetch.ts";
import type { HttpRequest } from "../ports.ts";
import type { Shown } from "../requests/request-notes.ts";
import { refuseToken, verifyToken, type TokenClaims } from "./token.ts";
import { VerifiedTokens } from "./verified-tokens.ts";

/** Reads and verifies the claims that a request itself carries. There is one for each `AUTH_MODE` that needs claims. */
export interface ClaimsSource {
  /** How log lines name this kind of credential. */
  readonly shown: Shown;
  /** Whether the request carries claims, valid or not. */
  isIn(request: HttpRequest): boolean;
  verify(request: HttpRequest, project: Project): Promise<Result<{ claims: TokenClaims }>>;
  /** The refusal of a request that carries no claims. */
  refuseMissing(): Refusal;
  /** The refusal of claims for a project that does not exist: the same as of claims for a project that is not theirs. */
  refuseForeign(request: HttpRequest): Refusal;
}

/** The claims of the project's token in the `Authorization` header. */
export function tokenClaims(send?: Fetch): ClaimsSource {
  const tokens = new VerifiedTokens((token, project) => verifyToken(token, project, send));
  return {
    shown: "token",
    isIn: ({ headers }) => headers.get("Authorization") !== null,
    verify: async (request, project) => {
      const bearer = bearerOf(request);
      return bearer === null ? refuseWithoutToken() : tokens.verify(bearer, project);
    },
    refuseMissing: refuseWithoutToken,
    refuseForeign: () => refuseToken(),
  };
}

/** The bearer token in the `Authorization` header; `null` if there is no such header, and `""` if it has another scheme. */
export function bearerOf(request: HttpRequest): string | null {
  const header = request.headers.get("Authorization");
  if (header === null) return null;
  const [scheme = "", token = "", ...more] = header.split(" ");
  return scheme.toLowerCase() === "bearer" && more.length === 0 ? token : "";
}

function refuseWithoutToken(): Refusal {
  return refuse("unauthenticated", "The request has no token.", {
    hint: "Send Authorization: Bearer <token>. Clients that cannot set headers, such as EventSource, use a signed read URL.",
    headers: { "WWW-Authenticate": "Bearer" },
  });
}
