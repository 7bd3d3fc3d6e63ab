/** The JSON bodies of the estuary routes: parses requests and encodes answers. */

import type { Follower, LinkFormat, SourceResult } from "@durable-streams-cloudflare/core/contracts/fan-out";
import {
  isContentType,
  parseLifetime,
  parseOffset,
  parseStreamName,
  refuse,
  RESERVED_SEGMENT,
  type OffsetRef,
  type Refusal,
  type Result,
} from "@durable-streams-cloudflare/protocol";

import type { Json } from "../limits/json-body.ts";

/** The most sources that one request may name. */
export const SOURCES_MAX = 1_000;
/** A link that is to last longer has no end. */
const EXPIRY_SECONDS_MAX = 10 * 366 * 24 * 3_600;

/** One source that a request names. */
export interface WantedSource {
  readonly name: string;
  /** Where in the source to begin; `undefined`: where the request's `from` says. */
  readonly from: OffsetRef | undefined;
}

/** The options of a subscribe request, parsed. */
export interface SubscribeOptions {
  readonly from: OffsetRef;
  readonly format: LinkFormat;
  /** When the links end, in ms since the epoch; `null`: never. */
  readonly expiresAtMs: number | null;
  /** How a missing source is created; `undefined`: it is not created. */
  readonly create: { readonly contentType: string | undefined } | undefined;
}

/**
 * Parses the options of a subscribe request: `from`, where in a source to begin; `format`, how its messages are stored in the
 * session; and the rest.
 * @param nowMs the current time, from which a lifetime of the links counts.
 */
export function parseSubscribe(body: Json, nowMs: number): Result<SubscribeOptions> {
  const from = parseFrom(body["from"]);
  if (from === undefined) return refuseFrom();
  const { format = "raw", create } = body;
  if (format !== "raw" && format !== "envelope") {
    return refuse("subscription-invalid", "format must be raw or envelope.");
  }
  const expiry = parseExpiry(body, nowMs);
  if (!expiry.ok) return expiry;
  const parsed = parseCreate(create);
  return parsed.ok ? { ok: true, from, format, expiresAtMs: expiry.expiresAtMs, create: parsed.create } : parsed;
}

/** Parses a list of sources. Each is a name or `{"stream": name, "from": offset}`, and may be listed only once. */
export function parseSources(sources: unknown): Result<{ sources: readonly WantedSource[] }> {
  if (!Array.isArray(sources) || sources.length === 0 || sources.length > SOURCES_MAX) return refuseSources();
  const wanted = new Map<string, WantedSource>();
  for (const source of sources as readonly unknown[]) {
    const { stream, from }: Readonly<Record<string, unknown>> = isObject(source) ? source : { stream: source };
    const name = parseSourceName(stream);
    if (name === undefined) return refuseSources();
    const offset = from === undefined ? undefined : parseFrom(from);
    if (from !== undefined && offset === undefined) return refuseFrom();
    if (!wanted.has(name)) wanted.set(name, { name, from: offset });
  }
  return { ok: true, sources: [...wanted.values()] };
}

/** Returns a result under the source's name within the project: the project's prefix is removed. */
export function byName(project: string, result: SourceResult): [string, SourceResult] {
  const source = result.source.slice(project.length + 1);
  return [source, { ...result, source }];
}

/** Encodes the result for one source. */
export function resultView(result: SourceResult): object {
  const { source } = result;
  if (result.ok) return { source, ...(result.offset === undefined ? {} : { offset: result.offset }) };
  const { code, detail, hint } = result.problem;
  return { source, problem: { code, detail, ...(hint === undefined ? {} : { hint }) } };
}

/** Encodes a follower for the manager of its source. */
export function followerView({ session, format, offset, sinceMs, kid, user, expiresAtMs }: Follower): object {
  return {
    estuaryId: session.slice(session.indexOf("/") + 1),
    format,
    offset,
    since: sinceMs === null ? null : isoTime(sinceMs),
    kid,
    user,
    expiresAt: expiresAtMs === null ? null : isoTime(expiresAtMs),
  };
}

/** Formats a time, in ms since the epoch, as ISO 8601. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function refuseSources(): Refusal {
  return refuse(
    "subscription-invalid",
    `sources must be a list of 1 to ${SOURCES_MAX} stream names or objects {"stream": name, "from": offset}.`,
  );
}

function parseFrom(from: unknown): OffsetRef | undefined {
  if (from === undefined) return { kind: "now" };
  return typeof from === "string" ? parseOffset(from) : undefined;
}

/** Reserved names cannot be streams. */
function parseSourceName(name: unknown): string | undefined {
  if (typeof name !== "string" || !name.isWellFormed()) return undefined;
  const parsed = parseStreamName(encodeURIComponent(name));
  return parsed.ok && parsed.segments[0] !== RESERVED_SEGMENT ? parsed.name : undefined;
}

function parseExpiry(
  { expiresAt, expiresInSeconds }: Json,
  nowMs: number,
): Result<Pick<SubscribeOptions, "expiresAtMs">> {
  if (expiresAt === undefined && expiresInSeconds === undefined) return { ok: true, expiresAtMs: null };
  if (expiresAt !== undefined && expiresInSeconds !== undefined) {
    return refuse("subscription-invalid", "Send either expiresAt or expiresInSeconds, not both.");
  }
  const atMs = expiresAt === undefined ? nowMs + 1_000 * wholeSeconds(expiresInSeconds) : instantOf(expiresAt);
  if (atMs > nowMs && atMs <= nowMs + 1_000 * EXPIRY_SECONDS_MAX) return { ok: true, expiresAtMs: atMs };
  return refuse(
    "subscription-invalid",
    "expiresAt must be an RFC 3339 timestamp, or expiresInSeconds a whole number, at most ten years in the future.",
    { hint: "Omit both for a link that does not expire." },
  );
}

function wholeSeconds(seconds: unknown): number {
  return typeof seconds === "number" && Number.isInteger(seconds) ? seconds : Number.NaN;
}

function instantOf(text: unknown): number {
  if (typeof text !== "string") return Number.NaN;
  const parsed = parseLifetime((name) => (name === "Stream-Expires-At" ? text : null));
  return parsed.ok && parsed.lifetime.kind === "at" ? parsed.lifetime.expiresAtMs : Number.NaN;
}

function parseCreate(create: unknown): Result<Pick<SubscribeOptions, "create">> {
  if (create === undefined) return { ok: true, create: undefined };
  const { contentType, ...others } = isObject(create) ? create : { contentType: null };
  const isRight = contentType === undefined || (typeof contentType === "string" && isContentType(contentType));
  if (isRight && Object.keys(others).length === 0) return { ok: true, create: { contentType } };
  return refuse("subscription-invalid", 'create must be {} or {"contentType": "type/subtype"}.');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuseFrom(): Refusal {
  return refuse("subscription-invalid", `from must be "now", "-1", or an offset of the source.`, {
    hint: "Omit it to receive only new messages.",
  });
}
