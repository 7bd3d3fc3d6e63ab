/** Sends a webhook. */

import type { WebhookAnswer, WebhookRequest } from "@durable-streams-cloudflare/core/wakes/host";

import { formatTraceparent, newTrace } from "../tracing/trace-context.ts";
import { boundedFetch, type Fetch } from "./bounded-fetch.ts";

/** Bytes of an answer that are read; of one that is longer only the status counts. */
const ANSWER_BYTES_MAX = 16 * 1024;

/** The limits and rules of one webhook request. */
export interface WebhookBounds {
  readonly timeoutMs: number;
  readonly allowsLoopback: boolean;
}

/**
 * Sends one signed webhook. Each begins a trace: one wake may be due to any number of requests, each with a trace of its own.
 * @param send sends it; `fetch` where the host does not say otherwise.
 * @throws if the URL guard refuses the URL, the request fails, or the answer is not complete in time.
 */
export async function sendWebhook(
  { url, body, signature }: WebhookRequest,
  bounds: WebhookBounds,
  send?: Fetch,
): Promise<WebhookAnswer> {
  const headers = {
    "Content-Type": "application/json",
    "Webhook-Signature": signature,
    traceparent: formatTraceparent(newTrace()),
  };
  const request = { method: "POST", headers, body };
  const answer = await boundedFetch(url, request, { ...bounds, bytesMax: ANSWER_BYTES_MAX }, send);
  return { status: answer.status, text: answer.text ?? "" };
}
