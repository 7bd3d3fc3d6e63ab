/** Reads a stream up to its tail, one response after the other. */

import { HEADER, isClosedHeader } from "@durable-streams-cloudflare/protocol";

import { CliError, EXIT, reasonOf } from "./failure.ts";
import type { Server } from "./server.ts";
import type { Progress } from "./stream-printer.ts";

export interface StreamPage {
  readonly contentType: string;
  /** The bytes, as they arrive. @throws CliError when the connection breaks. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The reader's position after these bytes. */
  readonly progress: Progress;
}

/** @param begin where to begin: `-1`, an offset, or the number of last messages to read. */
export async function* readPages(
  server: Server,
  name: string,
  begin: string | { readonly last: number },
  signal: AbortSignal,
): AsyncGenerator<StreamPage> {
  let offset = typeof begin === "string" ? begin : "-1";
  let last = typeof begin === "string" ? undefined : String(begin.last);
  for (let isAtTail = false; !isAtTail;) {
    const call = { query: { offset, last }, headers: server.authorization("read") };
    const { headers, body } = await server.send("GET", server.streamPath(name), call);
    const closed = isClosedHeader(headers.get(HEADER.closed));
    isAtTail = closed || headers.get(HEADER.upToDate) === "true";
    const chunks = chunksOf(body, offset, signal);
    offset = headers.get(HEADER.nextOffset) ?? offset;
    last = undefined;
    yield {
      contentType: headers.get("Content-Type") ?? "",
      chunks,
      progress: { offset, upToDate: isAtTail, closed },
    };
  }
}

async function* chunksOf(body: Response["body"], offset: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body ?? []) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw new CliError("The connection broke before the response was complete.", {
      code: "answer-incomplete",
      why: reasonOf(error),
      fix: `read again with --offset ${offset}: the output after that offset is incomplete`,
      exitCode: EXIT.unavailable,
      cause: error,
    });
  }
}
