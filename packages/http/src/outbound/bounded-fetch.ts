/**
 * Sends a request to somebody else's server, after the URL guard: it follows no redirects, and limits the time and the size of
 * the answer.
 */

import { faultOfUrl, type OutboundRules } from "@durable-streams-cloudflare/core/outbound/url-guard";

export interface FetchBounds extends OutboundRules {
  /** For the whole of it, the answer's body included. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

export interface BoundedAnswer {
  readonly status: number;
  /** `null`: it is longer than that. */
  readonly text: string | null;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** @throws when nothing may be sent to the URL, and when there is no whole answer in time. */
export async function boundedFetch(
  url: string,
  init: Pick<RequestInit, "method" | "headers" | "body">,
  { timeoutMs, bytesMax, ...rules }: FetchBounds,
  send: Fetch = (target, how) => fetch(target, how),
): Promise<BoundedAnswer> {
  const fault = faultOfUrl(url, rules);
  if (fault !== undefined) throw new Error(`The server does not send requests to this URL. ${fault.detail}`);
  const response = await send(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
  return { status: response.status, text: await readText(response, bytesMax) };
}

async function readText({ body }: Response, bytesMax: number): Promise<string | null> {
  if (body === null) return "";
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > bytesMax) break;
    text += decoder.decode(value, { stream: true });
  }
  // Not awaited: a sender that never stops must not hold up anything.
  void reader.cancel().catch(() => undefined);
  return null;
}
