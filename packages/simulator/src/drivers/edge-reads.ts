/** Reads of clients, answered by the edge's own code, on Node.js and without a socket. */

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import type { Exchange } from "@durable-streams-cloudflare/http/exchange";
import { createHubs } from "@durable-streams-cloudflare/http/live/create-hubs";
import { LiveReads } from "@durable-streams-cloudflare/http/live/live-reads";
import { read } from "@durable-streams-cloudflare/http/routes/stream-operations";
import { concatBytes } from "@durable-streams-cloudflare/testkit";

import type { NodeReader } from "./cold-reader.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface Answered extends Omit<Answer, "body"> {
  readonly body: Bytes;
}

/**
 * GET.
 * @param query what the URL has behind its path.
 * @param bytesMax the client goes away when it has so much of the body.
 * @throws Error with the problem's code, if the request is refused.
 */
export async function getOf(
  reader: NodeReader,
  query: string,
  headers: Readonly<Record<string, string>> = {},
  bytesMax = Infinity,
): Promise<Answered> {
  const answer = await answerOf(reader, query, headers);
  return { ...answer, body: await bytesOf(answer.body, bytesMax) };
}

/** The same, whose body nobody has read yet. */
export async function answerOf(
  reader: NodeReader,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const handled = await read(exchangeOf(reader, `http://server/v1/stream/s?${query}`, headers));
  if (!handled.ok) throw new Error(handled.problem.code);
  return handled.answer;
}

function exchangeOf(reader: NodeReader, url: string, headers: Readonly<Record<string, string>>): Exchange {
  const { signal } = new AbortController();
  const request = { method: "GET", url, headers: new Headers(headers), signal, body: null, bodyUsed: false };
  const liveReads = new LiveReads();
  const parts = {
    request,
    liveReads,
    hubs: createHubs(reader.config, liveReads),
    granted: { ok: true, isPublic: true },
  };
  return { ...reader, ...parts } as unknown as Exchange;
}

async function bytesOf(body: Answer["body"], bytesMax: number): Promise<Bytes> {
  if (body === null || typeof body === "string") return new TextEncoder().encode(body ?? "");
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  let left = bytesMax;
  const chunksOf = (body instanceof ReadableStream ? body : body.stream()).getReader();
  while (left > 0) {
    const { done, value } = await chunksOf.read();
    if (done) return concatBytes(chunks);
    chunks.push(value.subarray(0, left));
    left -= value.length;
  }
  await chunksOf.cancel();
  return concatBytes(chunks);
}
