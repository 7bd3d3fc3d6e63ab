/** The JSON bodies of the subscription routes [PROTOCOL §6, §7]. */

import type {
  AckCommand,
  ClaimResult,
  SubscriptionView,
  DeliveryReport,
  WakeCommand,
} from "@durable-streams-cloudflare/core/contracts/wakes";
import { formatLink } from "@durable-streams-cloudflare/core/wakes/sender";
import { parseStreamNames, kindOf, refuse, type Problem, type Result } from "@durable-streams-cloudflare/protocol";

import type { Answer } from "../answers/answer.ts";
import { problemAnswer } from "../answers/problem.ts";
import { discardBody } from "../limits/body.ts";
import type { Json } from "../limits/json-body.ts";
import type { HttpRequest } from "../ports.ts";

const WORKER_LENGTH_MAX = 256;

/** The specification's codes, which clients match. */
const ERROR_CODES: Readonly<Record<string, string>> = {
  "ack-invalid": "INVALID_OFFSET",
  "subscription-claimed": "ALREADY_CLAIMED",
  "subscription-exists": "SUBSCRIPTION_ALREADY_EXISTS",
  "subscription-fenced": "FENCED",
  "subscription-idle": "NO_PENDING_WORK",
  "token-expired": "TOKEN_EXPIRED",
  unauthenticated: "TOKEN_INVALID",
};

/** Those with status 400 that go by their own names. */
const OWN_NAMES: ReadonlySet<string> = new Set(["public-url-required", "webhook-url-rejected"]);

/** Encodes a refusal of a subscription route: a problem with the additional member `error` [PROTOCOL §6]. */
export async function refusedControl(request: HttpRequest, problem: Problem): Promise<Answer> {
  await discardBody(request);
  const { code, detail, lease } = problem;
  const isMalformed = kindOf(problem).status === 400 && !OWN_NAMES.has(code);
  const name = ERROR_CODES[code] ?? (isMalformed ? "INVALID_REQUEST" : snake(code));
  const holder = lease === undefined ? {} : { current_holder: lease.holder, generation: lease.generation };
  const answer = problemAnswer(request, problem, { error: { code: name, message: detail, ...holder } });
  answer.headers["Content-Type"] = "application/json";
  return answer;
}

/** Encodes a subscription [PROTOCOL §6]. */
export function subscriptionJson(view: SubscriptionView): object {
  const { id, type, pattern, streams, webhookUrl, wakeStream, leaseTtlMs, createdAtMs, status, description } = view;
  return {
    id,
    subscription_id: id,
    type,
    pattern,
    streams: streams.map(({ path, linkType, acked }) => ({ path, link_type: linkType, acked_offset: acked })),
    webhook: webhookUrl === null ? null : { url: webhookUrl, ...signingJson(view), ...proofJson(view) },
    wake_stream: wakeStream,
    lease_ttl_ms: leaseTtlMs,
    created_at: new Date(createdAtMs).toISOString(),
    status,
    description,
    ...deadLetterJson(view),
  };
}

/** Encodes the recent deliveries of a webhook subscription. */
export function deliveriesJson({ attempts, nextAttemptAtMs, isLimited = false, deadLetter }: DeliveryReport): object {
  return {
    attempts: attempts.map(({ wakeId, generation, atMs, status, error }) => ({
      wake_id: wakeId,
      generation,
      at: new Date(atMs).toISOString(),
      status,
      error,
    })),
    next_attempt_at: timeOf(nextAttemptAtMs),
    ...(isLimited ? { limited: true } : {}),
    ...deadLetterJson({ deadLetter }),
  };
}

/** Encodes a claimed wake [PROTOCOL §7]. */
export function claimJson({ wakeId, generation, token, streams, leaseTtlMs }: ClaimResult): object {
  return { wake_id: wakeId, generation, token, streams: streams.map(formatLink), lease_ttl_ms: leaseTtlMs };
}

/** Parses the body of a claim. */
export function parseWorker({ worker }: Json): Result<{ worker: string }> {
  if (typeof worker === "string" && worker !== "" && worker.length <= WORKER_LENGTH_MAX) return { ok: true, worker };
  return refuse("subscription-invalid", `worker must be a string of 1 to ${WORKER_LENGTH_MAX} characters.`);
}

/**
 * Parses a request about a wake.
 * @param token from the `Authorization` header.
 */
export function parseWake(body: Json, via: WakeCommand["via"], token: string): Result<{ command: WakeCommand }> {
  const { wake_id: wakeId, generation } = body;
  if (typeof wakeId !== "string" || typeof generation !== "number" || !Number.isSafeInteger(generation)) {
    return refuse("subscription-invalid", "wake_id must be a string and generation a whole number.");
  }
  return { ok: true, command: { via, token, wakeId, generation } };
}

/** Parses an acknowledgement. Parameters as in `parseWake`. */
export function parseAck(body: Json, via: WakeCommand["via"], token: string): Result<{ command: AckCommand }> {
  const wake = parseWake(body, via, token);
  if (!wake.ok) return wake;
  const { acks = [], done = false } = body;
  if (typeof done !== "boolean") return refuse("subscription-invalid", "done must be true or false.");
  const parsed = Array.isArray(acks) ? (acks as readonly unknown[]).map(ackOf) : [undefined];
  const known = parsed.filter((ack) => ack !== undefined);
  if (known.length !== parsed.length) {
    return refuse("subscription-invalid", "acks must be a list of objects {stream, offset}.");
  }
  return { ok: true, command: { ...wake.command, acks: known, done } };
}

function ackOf(value: unknown): AckCommand["acks"][number] | undefined {
  if (typeof value !== "object" || value === null || !("stream" in value) || !("offset" in value)) return undefined;
  const names = parseStreamNames([value.stream]);
  const [stream] = names.ok ? names.streams : [];
  return stream !== undefined && typeof value.offset === "string" ? { stream, offset: value.offset } : undefined;
}

function signingJson({ kid, controlUrl }: SubscriptionView): object {
  return kid === null ? {} : { signing: { alg: "ed25519", kid, jwks_url: `${controlUrl}/jwks.json` } };
}

function proofJson({ proof }: SubscriptionView): object {
  if (proof === undefined) return {};
  const { isProven, nextAttemptAtMs, error } = proof;
  const status = isProven ? "verified" : "pending";
  return { verification: { status, next_attempt_at: timeOf(nextAttemptAtMs), error } };
}

function timeOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}

function deadLetterJson({ deadLetter }: Pick<SubscriptionView, "deadLetter">): object {
  return deadLetter === null
    ? {}
    : { dead_letter: { stream: deadLetter.stream, max_attempts: deadLetter.maxAttempts } };
}

function snake(code: string): string {
  return code.toUpperCase().replaceAll("-", "_");
}
