/** Validates the settings that managers send. Unknown fields are refused, so that a misspelled limit is noticed. */

import {
  HEADER,
  isContentType,
  parseLifetime,
  parseRetention,
  refuse,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import {
  DEFAULT_SETTINGS,
  type Issuer,
  type ProjectSettings,
  type StreamDefaults,
} from "../contracts/project-record.ts";
import { faultOfUrl, isDevelopmentUrl } from "../outbound/url-guard.ts";
import { isPattern } from "./stream-pattern.ts";

const ORIGINS_MAX = 64;
const PATTERNS_MAX = 64;
const TEXT_MAX = 512;

const ORIGIN = /^https?:\/\/[^\s,/?#]{1,255}$/;
/** The HMAC key of HS256 has at least 256 bits. */
const SECRET = /^[!-~]{32,512}$/;

/** The binding counts a share of a million: less than one request a minute cannot be distinguished from none. */
const LIMIT_MIN = 1;
const LIMIT_MAX = 1_000_000_000_000;
const LIMITS = Object.keys(DEFAULT_SETTINGS.limits);

/** The headers of a create request that a project's defaults replace. */
export const DEFAULT_HEADERS: Readonly<Record<keyof StreamDefaults, string>> = {
  contentType: "Content-Type",
  ttlSeconds: HEADER.ttl,
  retentionSeconds: HEADER.retentionSeconds,
  retentionBytes: HEADER.retentionBytes,
};

type Checks = { readonly [Name in keyof ProjectSettings]-?: { holds(value: unknown): boolean; expects: string } };

const CHECKS: Checks = {
  corsOrigins: {
    holds: (value) => value === null || isListOf(value, ORIGINS_MAX, isOrigin),
    expects: `null, a list of up to ${ORIGINS_MAX} origins such as https://app.example.com, or ["*"]`,
  },
  publicStreams: {
    holds: (value) => isListOf(value, PATTERNS_MAX, isPattern),
    expects: `a list of up to ${PATTERNS_MAX} stream names or prefixes that end in *`,
  },
  issuer: {
    holds: (value) => value === null || isIssuer(value),
    expects:
      "null or {jwksUrl, issuer}, with an https URL of a public host name or an http URL of the server's own machine",
  },
  audience: {
    holds: (value) => value === null || isText(value),
    expects: `null or a string of up to ${TEXT_MAX} characters`,
  },
  webhookChallenge: { holds: (value) => typeof value === "boolean", expects: "true or false" },
  defaults: {
    holds: (value) => areDefaults(value),
    expects:
      "an object with any of contentType, ttlSeconds, retentionSeconds and retentionBytes, " +
      "each null or a value that its header accepts",
  },
  limits: {
    holds: (value) => areLimits(value),
    expects: `an object with any of ${LIMITS.join(", ")}, each null or a whole number from ${LIMIT_MIN} to ${LIMIT_MAX}`,
  },
};

/** The settings in a request's JSON object. */
export function parseSettings(json: object): Result<{ settings: Partial<ProjectSettings> }> {
  for (const [name, value] of Object.entries(json)) {
    if (!Object.hasOwn(CHECKS, name)) {
      return refuse("settings-invalid", `A project has no setting ${JSON.stringify(name.slice(0, 64))}.`, {
        hint: `The settings are ${Object.keys(CHECKS).join(", ")}.`,
      });
    }
    const check = CHECKS[name as keyof ProjectSettings];
    if (!check.holds(value)) return refuse("settings-invalid", `${name} must be ${check.expects}.`);
  }
  return { ok: true, settings: json };
}

/**
 * Whether only ADMIN_SECRET may set this: limits, and an issuer on the server's own machine, where a tenant of somebody
 * else's server has nothing to fetch.
 */
export function isForAdmin({ limits, issuer }: Readonly<Record<string, unknown>>): boolean {
  return limits !== undefined || (isIssuer(issuer) && isDevelopmentUrl(issuer.jwksUrl));
}

/** A secret that the manager chose; `undefined` lets the server make one. */
export function parseSecret(secret: unknown): Result<{ secret: string | undefined }> {
  if (secret === undefined) return { ok: true, secret };
  if (typeof secret === "string" && SECRET.test(secret)) return { ok: true, secret };
  return refuse("settings-invalid", "A secret must be a string of 32 to 512 printable characters without spaces.", {
    hint: "Omit it to have the server generate a random one.",
  });
}

function isListOf(value: unknown, max: number, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= max && value.every((item) => isItem(item));
}

function isOrigin(value: unknown): boolean {
  return value === "*" || (typeof value === "string" && ORIGIN.test(value));
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= TEXT_MAX;
}

function isIssuer(value: unknown): value is Issuer {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 2) return false;
  const { jwksUrl, issuer } = value as Partial<Record<string, unknown>>;
  return isText(issuer) && typeof jwksUrl === "string" && jwksUrl.length <= TEXT_MAX && isJwksUrl(jwksUrl);
}

function areLimits(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, limit]) => LIMITS.includes(name) && isLimit(limit));
}

/** Each is what the header of a creation could say. */
function areDefaults(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([name, each]) => {
    const header = DEFAULT_HEADERS[name as keyof StreamDefaults];
    return Object.hasOwn(DEFAULT_HEADERS, name) && (each === null || isHeader(header, each));
  });
}

function isHeader(name: string, value: unknown): boolean {
  if (name === DEFAULT_HEADERS.contentType) return typeof value === "string" && isContentType(value);
  const read = (asked: string): string | null => (asked === name ? String(value) : null);
  return typeof value === "number" && parseLifetime(read).ok && parseRetention(read).ok;
}

function isLimit(value: unknown): boolean {
  return value === null || (Number.isInteger(value) && Number(value) >= LIMIT_MIN && Number(value) <= LIMIT_MAX);
}

/** By the rules of all that the server sends out. That an issuer on this machine is the administrator's is asked elsewhere. */
function isJwksUrl(text: string): boolean {
  return faultOfUrl(text, { allowsLoopback: true }) === undefined;
}
