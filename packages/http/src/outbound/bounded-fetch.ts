/**
 * Sends a request to somebody else's server, after the URL guard: it follows no redirects, and limits the time and the size of
 * the answer.
 */

import { faultOfUrl, type OutboundRules } from "@durable-streams-cloudflare/core/outbound/url-guard";

/** The limits and rules of one request. */
export interface FetchBounds extends OutboundRules {
  /** The time limit in ms for the whole exchange, including the answer's body. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

/** The status and text of an answer. */
export interface BoundedAnswer {
  readonly status: number;
  /** The body; `null` if it is longer than the limit. */
  readonly text: string | null;
}

/** The part of `fetch` that is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Sends one request and reads the answer.
 * @throws if the URL guard refuses the URL, the request fails, or the answer is not complete in time.
 */
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
