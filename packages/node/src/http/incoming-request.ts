/**
 * Adapts a request of Node.js to the form that the edge takes. A real `Request` costs more than storing an append, so every
 * part is made only when it is asked for.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";

import type { HttpRequest } from "@durable-streams-cloudflare/http/ports";

export class IncomingRequest implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HttpRequest["headers"];
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  #body: ReadableStream<Uint8Array> | null | undefined;
  #isRead = false;
  #abort: AbortController | undefined;

  /** @param scheme by which the connection came. */
  constructor(message: IncomingMessage, response: ServerResponse, scheme: "http" | "https") {
    this.#message = message;
    this.#response = response;
    this.method = message.method ?? "GET";
    this.url = `${scheme}://${message.headers.host ?? "localhost"}${pathOf(message.url ?? "/")}`;
    this.headers = { get: (name) => headerOf(message, name.toLowerCase()) };
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#body !== undefined) return this.#body;
    if (!hasBody(this.#message)) return (this.#body = null);
    return (this.#body = this.#streamed());
  }

  get bodyUsed(): boolean {
    return this.#isRead;
  }

  /** @throws Error when the connection ended before all of it had come. */
  bytes(): Promise<Uint8Array> {
    this.#isRead = true;
    const message = this.#message;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      message.on("data", (chunk: Buffer) => chunks.push(chunk));
      message.on("end", () => resolve(ownBytes(chunks)));
      message.on("error", reject);
      message.on("close", () => reject(new Error("The connection ended before the whole body had arrived.")));
    });
  }

  /** Reads nothing before it is asked to, so that `bytes` still finds all of it. */
  #streamed(): ReadableStream<Uint8Array> {
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          this.#isRead = true;
          reader ??= (Readable.toWeb(this.#message) as ReadableStream<Uint8Array>).getReader();
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => reader?.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = (this.#abort = new AbortController());
      this.#response.once("close", () => {
        if (!this.#response.writableFinished) abort.abort();
      });
    }
    return this.#abort.signal;
  }
}

/** A request line may name the whole URL. */
function pathOf(target: string): string {
  if (target.startsWith("/")) return target;
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(target);
  const rest = match?.[1] ?? "";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? "0") > 0;
}

function headerOf({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name];
  if (value === undefined) return null;
  return typeof value === "string" ? value : value.join(", ");
}

/** In a buffer of their own: small ones of Node.js are views of a pool that others use, too. */
function ownBytes(chunks: readonly Buffer[]): Uint8Array {
  const size = chunks.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
