/**
 * `AUTH_MODE=trusted-header`: a proxy has verified the client's token, and sends its claims in headers. They count only because
 * the proxy proves itself: the server has an `ORIGIN_SECRET` in this mode, and `behindProxy` refuses every request without it.
 *
 * - No header narrows rights by its presence. A client can make some proxies remove a header by naming it in `Connection`, so a
 *   missing header must never give more.
 * - No value may contain a comma. Headers of the same name are joined by commas, so two values are never taken for one.
 */

import type { Config } from "@durable-streams-cloudflare/core/config";
import type { Project } from "@durable-streams-cloudflare/core/project/project";
import { refuse, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";
import type { JWTPayload } from "jose";

import type { HttpRequest } from "../ports.ts";
import type { ClaimsSource } from "./claims-source.ts";
import { hasDuplicateKeys } from "./json-keys.ts";
import { checkClaims, decodeText, isExpired, refuseExpired, refuseToken, type TokenClaims } from "./token.ts";

const SUB = "X-JWT-Sub";
const EXP = "X-JWT-Exp";
const SCOPE = "X-JWT-Scope";
const STREAM_ID = "X-JWT-Stream-Id";
const RIGHTS = "X-JWT-Rights";
const PROJECT = "X-JWT-Project";

/** Each header's form, and what it holds in words. None allows a comma. */
const FORMS = {
  [SUB]: { pattern: /^[!-+\--~](?:[ -+\--~]{0,254}[!-+\--~])?$/, holds: "the user, in up to 256 ASCII characters" },
  [EXP]: { pattern: /^\d{1,12}$/, holds: "when the token expires, in seconds since 1970" },
  [SCOPE]: { pattern: /^[!-+\--~]+(?: [!-+\--~]+)*$/, holds: "words such as read, write and manage" },
  [STREAM_ID]: { pattern: /^[!-+\--~]+$/, holds: "a stream or a pattern such as chat/*, or * for the whole project" },
  [RIGHTS]: { pattern: /^[\w-]+={0,2}$/, holds: "the claim rights as JSON, in base64url" },
  [PROJECT]: { pattern: /^[\w.-]+$/, holds: "the project" },
} as const;

type Name = keyof typeof FORMS;

const NAMES = Object.keys(FORMS) as Name[];
/** Longer values are refused before anything is decoded. */
const VALUE_LENGTH_MAX = 8 * 1024;
/** Appends are recorded as signed by this key. The secrets of projects have other names. */
const PROXY_KID = "proxy";

/** What the headers say, after all of it was checked. */
interface ProxyClaims {
  readonly claims: TokenClaims;
  /** The project that the claims are for; `undefined`: the only one. */
  readonly project: string | undefined;
}

/** Reads the claims from the proxy's headers. */
export function proxyClaims(tenancy: Config["tenancy"]): ClaimsSource {
  return {
    shown: "proxy",
    isIn: ({ headers }) => NAMES.some((name) => valueOf(headers, name) !== undefined),
    verify: async (request, project) => verify(request, project, tenancy),
    refuseMissing: () => refuseMissing(tenancy),
    refuseForeign: (request) => {
      const parsed = parse(request, tenancy);
      return parsed.ok ? refuseToken(FOREIGN) : parsed;
    },
  };
}

const FOREIGN = "The proxy's claims are not valid for this project.";

function verify(
  request: HttpRequest,
  { record }: Project,
  tenancy: Config["tenancy"],
): Result<{ claims: TokenClaims }> {
  const parsed = parse(request, tenancy);
  if (!parsed.ok) return parsed;
  const { project, claims } = parsed;
  return project === undefined || project === record.name ? { ok: true, claims } : refuseToken(FOREIGN);
}

/** Nothing here depends on a project, so that no answer reveals which ones exist. */
function parse({ headers }: HttpRequest, tenancy: Config["tenancy"]): Result<ProxyClaims> {
  const values: Partial<Record<Name, string>> = {};
  for (const name of NAMES) {
    const value = valueOf(headers, name);
    // With one project the header says nothing: a claim of this name may be about something else.
    if (value === undefined || (name === PROJECT && tenancy === "single")) continue;
    if (value.length > VALUE_LENGTH_MAX || !FORMS[name].pattern.test(value)) return refuseHeader(name);
    values[name] = value;
  }
  const missing = missingOf(values, tenancy);
  if (missing !== undefined) return refuseMissing(tenancy, missing);
  const payload = payloadOf(values);
  if (payload === undefined) return refuseHeader(RIGHTS);
  if (isExpired(payload)) return refuseExpired();
  const checked = checkClaims(payload, PROXY_KID);
  return checked.ok ? { ok: true, claims: checked.claims, project: values[PROJECT] } : checked;
}

/** Some proxies send an empty header for a claim that is missing. */
function valueOf(headers: HttpRequest["headers"], name: Name): string | undefined {
  return headers.get(name) || undefined;
}

/** The header that is missing although the others need it. */
function missingOf(values: Partial<Record<Name, string>>, tenancy: Config["tenancy"]): Name | undefined {
  const rights: Name[] = values[RIGHTS] === undefined ? [SCOPE, STREAM_ID] : [];
  const required: Name[] = [SUB, EXP, ...rights, ...(tenancy === "path" ? ([PROJECT] as const) : [])];
  return required.find((name) => values[name] === undefined);
}

/** The claims as a project's token has them. `undefined`: the rights are not JSON, or have a key twice. */
function payloadOf(values: Partial<Record<Name, string>>): JWTPayload | undefined {
  const stream = values[STREAM_ID] === "*" && values[RIGHTS] === undefined ? undefined : values[STREAM_ID];
  const claims = { user: values[SUB], exp: Number(values[EXP]), scope: values[SCOPE], stream_id: stream };
  if (values[RIGHTS] === undefined) return claims;
  try {
    const json = decodeText(values[RIGHTS]);
    const rights: unknown = JSON.parse(json);
    return hasDuplicateKeys(json) ? undefined : { ...claims, rights };
  } catch {
    return undefined;
  }
}

function refuseMissing(tenancy: Config["tenancy"], name?: Name): Refusal {
  const detail = name === undefined ? "The proxy sent no claims." : `The proxy did not send ${name}.`;
  const project = tenancy === "path" ? `, ${PROJECT}` : "";
  return refuse("unauthenticated", detail, {
    hint:
      `The proxy must verify the client's token and send ${SUB}, ${EXP}${project}, and either ${SCOPE} with ${STREAM_ID} ` +
      `or ${RIGHTS}.${name === undefined ? "" : ` ${name} holds ${FORMS[name].holds}.`}`,
    headers: { "WWW-Authenticate": "Bearer" },
  });
}

function refuseHeader(name: Name): Refusal {
  return refuse("unauthenticated", `The header ${name} is not valid.`, {
    hint: `It must be sent once, without a comma, and hold ${FORMS[name].holds}. The proxy must replace what a client sends.`,
    headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' },
  });
}
