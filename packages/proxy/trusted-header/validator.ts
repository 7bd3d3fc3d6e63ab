/**
 * Verifies tokens for nginx (`auth_request`) and Caddy (`forward_auth`), which cannot do so themselves: an example to copy. It
 * answers 204 with the claims as headers, which the proxy passes on to the server, or 401.
 *
 * Environment: `JWKS_URL` with the public keys of the issuer, `ISSUER`, `AUDIENCE`, and `PORT` (4438).
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { createRemoteJWKSet, jwtVerify, type JWTPayload } from "jose";

const { JWKS_URL = "", ISSUER = "", AUDIENCE = "", PORT = "4438" } = process.env;
if (ISSUER === "" || AUDIENCE === "") throw new Error("Set JWKS_URL, ISSUER and AUDIENCE.");
const keys = createRemoteJWKSet(new URL(JWKS_URL));

const PROBLEM = JSON.stringify({
  type: "urn:durable-streams-cloudflare:problem:unauthenticated",
  title: "A valid token is required",
  status: 401,
  detail: "The proxy did not accept the token.",
  code: "unauthenticated",
  retry: "never",
  effects: "none",
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Browsers send no token with a preflight.
  if (request.headers["x-forwarded-method"] === "OPTIONS") return void response.writeHead(204, NONE).end();
  const [, token = ""] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  try {
    const options = {
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ["sub", "exp"],
      algorithms: ["RS256", "ES256"],
    };
    const { payload } = await jwtVerify(token, keys, options);
    response.writeHead(204, headersOf(payload)).end();
  } catch {
    const headers = {
      "Content-Type": "application/problem+json",
      "WWW-Authenticate": "Bearer",
      "Cache-Control": "no-store",
    };
    response.writeHead(401, { ...headers, "Access-Control-Allow-Origin": "*" }).end(PROBLEM);
  }
}

/** All headers that the server reads. None is left out, because Caddy would send a placeholder's name in its place. */
const NONE = { "X-JWT-Sub": "", "X-JWT-Exp": "", "X-JWT-Scope": "", "X-JWT-Stream-Id": "", "X-JWT-Rights": "" };

/** A token without `stream_id` is for the whole project, so that is said explicitly. */
function headersOf({ sub, exp, scope, stream_id: stream = "*", rights }: JWTPayload): Record<string, string> {
  const user = { ...NONE, "X-JWT-Sub": textOf(sub), "X-JWT-Exp": String(exp) };
  return rights === undefined
    ? { ...user, "X-JWT-Scope": textOf(scope), "X-JWT-Stream-Id": textOf(stream) }
    : { ...user, "X-JWT-Rights": Buffer.from(JSON.stringify(rights)).toString("base64url") };
}

/** A claim of another type is not sent, so the server refuses the request. */
function textOf(claim: unknown): string {
  return typeof claim === "string" ? claim : "";
}

createServer((request, response) => void answer(request, response)).listen(Number(PORT), "127.0.0.1");
