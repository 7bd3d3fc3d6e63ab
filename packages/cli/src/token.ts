import { createHmac } from "node:crypto";

export type Scope = "read" | "write" | "manage";

export interface TokenRequest {
  readonly project: string;
  readonly scopes: readonly Scope[];
  /** A stream's name, or a prefix that ends in `*`; none: all streams of the project. */
  readonly stream?: string | undefined;
  /** Instead of scopes and stream: the claim `rights`, each right for some streams or a session. */
  readonly rights?: readonly object[] | undefined;
  /** Whom the token is made for. */
  readonly user?: string | undefined;
  /** In seconds since 1970. */
  readonly expiresAt: number;
  /** Which of the project's secrets signed it; the server otherwise tries each. */
  readonly kid?: string | undefined;
}

/** A token of a project (docs/projects.md): JWT by HS256, whose key is the UTF-8 bytes of the secret. */
export function signToken(request: TokenRequest, secret: string): string {
  const { project, scopes, stream, rights, user, expiresAt, kid } = request;
  const header = { alg: "HS256", typ: "JWT", kid };
  const allowed = rights === undefined ? { scope: scopes.join(" "), stream_id: stream } : { rights };
  const claims = { sub: project, ...allowed, user, exp: expiresAt };
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function encode(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}
