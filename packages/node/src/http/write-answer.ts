/** Writes answers to connections. Nothing else in this host does. */

import type { Answer } from "@durable-streams-cloudflare/http/answers/answer";
import { COMMON_HEADERS } from "@durable-streams-cloudflare/http/answers/cors";
import { PagedBody } from "@durable-streams-cloudflare/http/answers/paged-body";
import { PushedBody } from "@durable-streams-cloudflare/http/answers/pushed-body";

import { isGone, type NodeResponse } from "./incoming-request.ts";

const COMMON = Object.entries(COMMON_HEADERS).flat();
/** Statuses whose responses have neither a body nor a `Content-Length`. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/**
 * Writes an answer, with `COMMON_HEADERS`. A body that fails midway cuts the connection.
 * @param isHead whether the request is a HEAD, whose answer has no body.
 * @param onEnd called when the last byte was passed to the socket, or the client has disconnected. It may be called again.
 * @returns a promise that resolves then; nothing for pieces, because for each live read a promise would be kept.
 */
export function writeAnswer(
  response: NodeResponse,
  answer: Answer,
  isHead: boolean,
  onEnd: () => void = () => undefined,
): Promise<void> | undefined {
  const { status, headers, body } = answer;
  const list = [...COMMON];
  for (const name of Object.keys(headers)) list.push(name, headers[name] ?? "");
  if (body === null || typeof body === "string" || body instanceof Uint8Array) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    if (!BODILESS.has(status) && !(isHead && bytes === null)) list.push("Content-Length", String(bytes?.length ?? 0));
    response.writeHead(status, list);
    if (bytes === null) response.end();
    else response.end(bytes);
    onEnd();
    return undefined;
  }
  // A body that ends early cuts the connection, so the client notices that some of it is missing.
  if (body instanceof PagedBody) list.push("Content-Length", String(body.bytes));
  response.writeHead(status, list);
  if (body instanceof PushedBody) {
    writePieces(body, response, onEnd);
    return undefined;
  }
  return (body instanceof PagedBody ? writePages(body, response) : pipe(body, response)).then(onEnd);
}

/** Passes pieces on as they come, and tells their source when the system has taken some. */
function writePieces(body: PushedBody, response: NodeResponse, onEnd: () => void): void {
  const onGone = (): void => {
    body.cancel();
    onEnd();
  };
  if (isGone(response)) return onGone();
  response.once("close", onGone);
  response.flushHeaders();
  const onTaken = (): void => body.pull();
  body.start({
    enqueue: (piece) => void response.write(piece, onTaken),
    get desiredSize() {
      return body.bytesMax - response.writableLength;
    },
    close: () => {
      response.end();
      onEnd();
    },
    error: () => void response.destroy(),
  });
  body.pull();
}

/** Asks for a page only when the system has taken the one before: whether slow or many, each client holds one in memory. */
async function writePages(body: PagedBody, response: NodeResponse): Promise<void> {
  response.once("close", () => body.cancel());
  if (isGone(response)) return body.cancel();
  try {
    let bytes = 0;
    while (!isGone(response)) {
      const page = await body.next();
      if (isGone(response)) return;
      if (page === undefined) {
        // Otherwise the client would wait for the rest as long as the connection lives.
        if (bytes !== body.bytes) throw new Error(`A body of ${body.bytes} bytes came to ${bytes}.`);
        response.end();
        return;
      }
      bytes += page.length;
      await written(response, page);
    }
  } catch {
    // The client must not take what it has for the whole.
    response.destroy();
  }
}

/** Resolves when the system has taken the bytes, or the client has disconnected. */
function written(response: NodeResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("close", settle);
      resolve();
    };
    response.on("close", settle);
    response.write(bytes, settle);
  });
}

/**
 * Sends a stream with backpressure: as fast as the client reads, and no faster. Racing each read against a promise for the end
 * of the connection would keep every chunk in memory until that end.
 */
async function pipe(body: ReadableStream<Uint8Array>, response: NodeResponse): Promise<void> {
  const reader = body.getReader();
  const letGo = (): void => void reader.cancel().catch(() => undefined);
  // A read that waits ends with it.
  response.once("close", letGo);
  if (isGone(response)) return letGo();
  try {
    response.flushHeaders();
    for (;;) {
      const { done, value } = await reader.read();
      if (isGone(response)) return;
      if (done) {
        response.end();
        return;
      }
      if (!response.write(value)) await drained(response);
    }
  } catch {
    // The client must not take what it has for the whole.
    response.destroy();
  }
}

/** Resolves when the client has taken what was written, or has gone. */
function drained(response: NodeResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    response.on("drain", settle);
    response.on("close", settle);
    if (isGone(response)) settle();
  });
}
