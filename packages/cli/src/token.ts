import { createHmac } from "node:crypto";

export type Scope = "read" | "write" | "manage";

export interface TokenRequest {
  readonly project: string;
  readonly scopes: readonly Scope[];
  /** A stream's name, or a prefix that ends in `*`; `undefined`: all streams of the project. */
  readonly stream?: string | undefined;
  /** The claim `rights`, instead of scopes and stream. Each right is for some streams or a session. */
  readonly rights?: readonly object[] | undefined;
  /** The user that the token is issued to. */
  readonly user?: string | undefined;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  /** The id of the secret that signs the token; without it, the server tries each secret. */
  readonly kid?: string | undefined;
}

/** Signs a token of a project (docs/projects.md): a JWT with HS256, whose key is the UTF-8 bytes of the secret. */
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
