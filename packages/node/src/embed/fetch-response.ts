/** Answers a Web `Request`, and knows when the response has ended. */

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { cancelBody } from "@durable-streams-cloudflare/http/answers/cancel-body";
import { COMMON_HEADERS } from "@durable-streams-cloudflare/http/answers/cors";
import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody } from "@durable-streams-cloudflare/http/answers/pushed-body";

import type { InFlight } from "./in-flight.ts";

/** @throws Error if the handler closes before there is an answer. */
export async function respond(inFlight: InFlight, answer: () => Promise<Answer>): Promise<Response> {
  const aborted = Promise.withResolvers<never>();
  const answering = answer();
  let abort = (): void => {
    aborted.reject(closing());
    // If an answer comes after all, it has nobody to read it.
    void answering.then(cancelBody, () => undefined);
  };
  const end = inFlight.begin(() => abort());
  let isStreamed = false;
  try {
    const { status, headers, body: made } = await Promise.race([answering, aborted.promise]);
    const body = made instanceof PagedBody || made instanceof PushedBody ? made.stream() : made;
    if (!(body instanceof ReadableStream)) return toResponse(status, headers, body);
    isStreamed = true;
    const watched = watch(body, end);
    abort = watched.abort;
    return toResponse(status, headers, watched.body);
  } finally {
    if (!isStreamed) end();
  }
}

/**
 * Makes a `Response` with headers of its own. Frameworks replace the global `Response` with one that keeps the `Headers` that
 * it is given, so no two responses may be given the same.
 */
function toResponse(
  status: number,
  headers: Answer["headers"],
  body: Exclude<Answer["body"], PagedBody | PushedBody>,
): Response {
  return new Response(body, { status, headers: { ...COMMON_HEADERS, ...headers } });
}

/** Passes a body on as fast as it is read. */
function watch(body: ReadableStream<Uint8Array>, onEnd: () => void) {
  const reader = body.getReader();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const watched = new ReadableStream<Uint8Array>(
    {
      start: (own) => void (controller = own),
      pull: async (own) => {
        try {
          const { done, value } = await reader.read();
          if (!done) return own.enqueue(value);
          onEnd();
          own.close();
        } catch (error) {
          onEnd();
          throw error;
        }
      },
      cancel: async (reason) => {
        onEnd();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  const abort = (): void => {
    onEnd();
    // Whoever reads it must not take what has come for the whole.
    controller?.error(closing());
    void reader.cancel().catch(() => undefined);
  };
  return { body: watched, abort };
}

function closing(): Error {
  return new Error("The server is closing.");
}
