/** The configuration that a client asks for [PROTOCOL §6.2], checked and normalized. */

import { parseStreamName, REGISTRY_STREAM, RESERVED_SEGMENT, STREAM_NAME_BYTES_MAX, utf8Length } from "./path.ts";
import { refuse, type Refusal, type Result } from "./problem.ts";

export const LEASE_MS_MIN = 1_000;
export const LEASE_MS_MAX = 600_000;
const LEASE_MS_DEFAULT = 30_000;
/** Streams that one request names. */
export const EXPLICIT_STREAMS_MAX = 1_000;
const DESCRIPTION_LENGTH_MAX = 1_024;
const URL_LENGTH_MAX = 2_048;
const ATTEMPTS_MAX = 1_000;
const ID_BYTES_MAX = 128;
// oxlint-disable-next-line no-control-regex -- control characters are what we refuse
const ID_PATTERN = /^(?!\.{1,2}$)[^\u0000-\u001f\u007f/]+$/u;

export interface SubscriptionConfig {
  readonly type: "webhook" | "pull-wake";
  readonly pattern: string | null;
  /** In order, each once. */
  readonly streams: readonly string[];
  /** Of a webhook. */
  readonly webhookUrl: string | null;
  /** Of a pull-wake subscription. */
  readonly wakeStream: string | null;
  readonly leaseTtlMs: number;
  readonly description: string | null;
  /** Where a wake goes that a webhook has failed to take so many times; `null`: it is tried for ever. */
  readonly deadLetter: DeadLetter | null;
}

export interface DeadLetter {
  readonly stream: string;
  readonly maxAttempts: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Whether a text may name a subscription. */
export function isSubscriptionId(text: string): boolean {
  return text.isWellFormed() && ID_PATTERN.test(text) && utf8Length(text) <= ID_BYTES_MAX;
}

/** Checks the body of a create. The webhook's URL is not judged here. */
export function parseSubscription(body: Json): Result<{ config: SubscriptionConfig }> {
  const { type, lease_ttl_ms: lease = LEASE_MS_DEFAULT, description = null } = body;
  if (type !== "webhook" && type !== "pull-wake") return invalid('type must be "webhook" or "pull-wake".');
  if (typeof lease !== "number" || !Number.isInteger(lease) || lease < LEASE_MS_MIN || lease > LEASE_MS_MAX) {
    return invalid(`lease_ttl_ms must be a whole number from ${LEASE_MS_MIN} to ${LEASE_MS_MAX}.`);
  }
  if (description !== null && (typeof description !== "string" || description.length > DESCRIPTION_LENGTH_MAX)) {
    return invalid(`description must be a string of at most ${DESCRIPTION_LENGTH_MAX} characters.`);
  }
  const sources = parseSources(body);
  if (!sources.ok) return sources;
  const delivery = type === "webhook" ? parseWebhook(body) : parsePullWake(body);
  if (!delivery.ok) return delivery;
  const { pattern, streams } = sources;
  const { webhookUrl, wakeStream, deadLetter } = delivery;
  const own = [wakeStream, deadLetter?.stream].find((stream) => typeof stream === "string" && streams.includes(stream));
  if (own !== undefined)
    return invalid(`A subscription cannot be woken by ${own}, because it writes to that stream itself.`);
  return {
    ok: true,
    config: { type, pattern, streams, webhookUrl, wakeStream, leaseTtlMs: lease, description, deadLetter },
  };
}

/** The same text for the same configuration, however it was spelled. */
export function canonicalConfig(config: SubscriptionConfig): string {
  const { type, pattern, streams, webhookUrl, wakeStream, leaseTtlMs, description, deadLetter } = config;
  const letters = deadLetter === null ? null : [deadLetter.stream, deadLetter.maxAttempts];
  return JSON.stringify([type, pattern, streams, webhookUrl, wakeStream, leaseTtlMs, description, letters]);
}

/** Names of streams, as they stand in a request's body. */
export function parseStreamNames(value: unknown): Result<{ streams: readonly string[] }> {
  if (!Array.isArray(value) || value.length > EXPLICIT_STREAMS_MAX) {
    return invalid(`streams must be a list of at most ${EXPLICIT_STREAMS_MAX} stream names.`);
  }
  const names: string[] = [];
  for (const item of value as readonly unknown[]) {
    const name = nameOf(item);
    if (name === undefined) return invalid("streams must contain stream names, written as in the URL after the root.");
    names.push(name);
  }
  return { ok: true, streams: [...new Set(names)].toSorted() };
}

function parseSources({ pattern, streams = [] }: Json): Result<Pick<SubscriptionConfig, "pattern" | "streams">> {
  const names = parseStreamNames(streams);
  if (!names.ok) return names;
  if (pattern === undefined || pattern === null) {
    if (names.streams.length === 0) return invalid("Send streams, pattern, or both.");
    return { ok: true, pattern: null, streams: names.streams };
  }
  const normalised =
    typeof pattern === "string" && pattern.isWellFormed() ? withoutSlashes(pattern.normalize("NFC")) : "";
  const segments = normalised.split("/");
  if (segments.includes("") || segments[0] === RESERVED_SEGMENT || utf8Length(normalised) > STREAM_NAME_BYTES_MAX) {
    return invalid("pattern must look like a stream name, with * for one segment and ** for any number of segments.");
  }
  return { ok: true, pattern: normalised, streams: names.streams };
}

type Delivery = Pick<SubscriptionConfig, "webhookUrl" | "wakeStream" | "deadLetter">;

function parseWebhook({ webhook, dead_letter: letters = null }: Json): Result<Delivery> {
  const url = isJson(webhook) ? webhook["url"] : undefined;
  if (typeof url !== "string" || url === "" || url.length > URL_LENGTH_MAX) {
    return invalid(`webhook.url must be a URL of at most ${URL_LENGTH_MAX} characters.`);
  }
  if (letters === null) return { ok: true, webhookUrl: url, wakeStream: null, deadLetter: null };
  const stream = isJson(letters) ? ownStream(letters["stream"]) : undefined;
  const maxAttempts = isJson(letters) ? letters["max_attempts"] : undefined;
  if (stream === undefined) return invalid("dead_letter.stream must be a stream name.");
  if (
    typeof maxAttempts !== "number" ||
    !Number.isInteger(maxAttempts) ||
    maxAttempts < 1 ||
    maxAttempts > ATTEMPTS_MAX
  ) {
    return invalid(`dead_letter.max_attempts must be a whole number from 1 to ${ATTEMPTS_MAX}.`);
  }
  return { ok: true, webhookUrl: url, wakeStream: null, deadLetter: { stream, maxAttempts } };
}

function parsePullWake(body: Json): Result<Delivery> {
  const wakeStream = ownStream(body["wake_stream"]);
  if (wakeStream === undefined) return invalid("wake_stream must be a stream name.");
  return { ok: true, webhookUrl: null, wakeStream, deadLetter: null };
}

/** A stream that subscriptions write. */
function ownStream(value: unknown): string | undefined {
  const name = nameOf(value);
  return name === REGISTRY_STREAM ? undefined : name;
}

function nameOf(value: unknown): string | undefined {
  if (typeof value !== "string" || !value.isWellFormed()) return undefined;
  const parsed = parseStreamName(encodeURIComponent(withoutSlashes(value)));
  return parsed.ok && parsed.segments[0] !== RESERVED_SEGMENT ? parsed.name : undefined;
}

/** Names are relative to the root, and one that begins with a slash is, too. */
function withoutSlashes(path: string): string {
  return path.startsWith("/") ? path.slice(1) : path;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(detail: string): Refusal {
  return refuse("subscription-invalid", detail);
}
