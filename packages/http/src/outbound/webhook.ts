/** Sends a webhook. */

import type { WebhookAnswer, WebhookRequest } from "@durable-streams-cloudflare/core/wakes/host";

import { boundedFetch } from "./bounded-fetch.ts";

/** Bytes of an answer that are read; of one that is longer only the status counts. */
const ANSWER_BYTES_MAX = 16 * 1024;

/** The limits and rules of one webhook request. */
export interface WebhookBounds {
  readonly timeoutMs: number;
  readonly allowsLoopback: boolean;
}

/**
 * Sends one signed webhook.
 * @throws if the URL guard refuses the URL, the request fails, or the answer is not complete in time.
 */
export async function sendWebhook(
  { url, body, signature }: WebhookRequest,
  bounds: WebhookBounds,
): Promise<WebhookAnswer> {
  const headers = { "Content-Type": "application/json", "Webhook-Signature": signature };
  const answer = await boundedFetch(url, { method: "POST", headers, body }, { ...bounds, bytesMax: ANSWER_BYTES_MAX });
  return { status: answer.status, text: answer.text ?? "" };
}
