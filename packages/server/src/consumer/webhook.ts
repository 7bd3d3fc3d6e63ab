/** Sends a webhook: no redirect is followed, and neither time nor bytes of the answer are without a bound. */

import type { WebhookAnswer, WebhookRequest } from "./host.ts";

/** Bytes of an answer that are read; more is not looked at. */
const ANSWER_BYTES_MAX = 16 * 1024;

/** @throws Error when there is no whole answer in time. */
export async function sendWebhook({ url, body, signature }: WebhookRequest, timeoutMs: number): Promise<WebhookAnswer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Webhook-Signature": signature },
    body,
    redirect: "manual",
    signal,
  });
  return { status: response.status, text: await readText(response) };
}

async function readText({ body }: Response): Promise<string> {
  if (body === null) return "";
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > ANSWER_BYTES_MAX) break;
    text += decoder.decode(value, { stream: true });
  }
  // Not awaited: a sender that never stops must not hold up anything.
  void reader.cancel().catch(() => undefined);
  return "";
}
