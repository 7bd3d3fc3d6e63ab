/** Follows a stream with the official client, across interrupted connections. */

import { stream as openStream, type ByteChunk, type StreamResponse } from "@durable-streams/client";

import { CliError, EXIT } from "./failure.ts";
import { BACKOFF, explain } from "./producer.ts";
import type { Server } from "./server.ts";
import { withResolvers } from "./with-resolvers.ts";

/** How long to wait for the last chunk after the client has reported the end of the stream. */
const LAST_CHUNK_MS = 30_000;

export type LiveMode = "sse" | "long-poll";

export interface Following {
  readonly server: Server;
  readonly name: string;
  /** Where to begin. */
  readonly offset: string;
  readonly live: LiveMode;
  /** Stops following. */
  readonly signal: AbortSignal;
  /** Called when the content type of the stream is known. */
  readonly begin: (contentType: string) => void;
  /** Called with each chunk, in order. */
  readonly print: (chunk: ByteChunk) => Promise<void>;
}

/**
 * Follows the stream until it is closed or the signal stops it. If an SSE response is interrupted in a way that the client does
 * not handle, a new response continues after what has been printed.
 * @returns the offset up to which everything has been printed. @throws CliError
 */
export async function followStream(following: Following): Promise<string> {
  const { server, name, signal, begin } = following;
  let { offset, live } = following;
  for (;;) {
    const response = await open({ ...following, offset, live });
    begin(response.contentType ?? "");
    offset = offset === "now" ? response.startOffset : offset;
    const start = offset;
    const isClosed = await drain(response, async (chunk) => {
      await following.print(chunk);
      ({ offset } = chunk);
    }).catch((error: unknown) => {
      if (!signal.aborted) throw explain(error, server, name);
      return true;
    });
    if (isClosed || signal.aborted) return offset;
    if (offset === start && live === "long-poll") throw cutOff(offset);
    if (offset === start) live = "long-poll";
  }
}

async function open({ server, name, offset, live, signal }: Following): Promise<StreamResponse> {
  const isOpen = server.authorization("read").Authorization === undefined;
  try {
    return await openStream({
      url: server.streamUrl(name),
      offset,
      live,
      signal,
      warnOnHttp: false,
      backoffOptions: BACKOFF,
      sseResilience: { logWarnings: false },
      // A function, because a long read needs newer tokens than the one it begins with.
      ...(isOpen ? {} : { headers: { Authorization: () => server.authorization("read").Authorization ?? "" } }),
    });
  } catch (error) {
    throw explain(error, server, name);
  }
}

/** Waits for the last chunk, because the client reports the end before delivering it. @returns whether the stream is closed. */
async function drain(response: StreamResponse, print: (chunk: ByteChunk) => Promise<void>): Promise<boolean> {
  const last = withResolvers<true>();
  let [failed, isOver]: [unknown, boolean] = [undefined, false];
  let printed = Promise.resolve();
  response.subscribeBytes((chunk) => {
    // The next response reads this chunk again.
    if (isOver) return Promise.resolve();
    printed = print(chunk).then(
      () => {
        if (chunk.streamClosed) last.resolve(true);
      },
      (error: unknown) => {
        failed ??= error;
        response.cancel(error);
      },
    );
    return printed;
  });
  let isClosed = await Promise.race([last.promise, response.closed.then(() => false)]);
  if (!isClosed && failed === undefined && response.streamClosed)
    isClosed = await settlesWithin(LAST_CHUNK_MS, last.promise);
  isOver = true;
  await printed;
  if (failed instanceof Error) throw failed;
  return isClosed;
}

async function settlesWithin(limitMs: number, promise: Promise<true>): Promise<boolean> {
  const late = withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), limitMs);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

function cutOff(offset: string): CliError {
  return new CliError("The server ends every response before any data arrives.", {
    code: "answer-incomplete",
    fix: `run durable-streams doctor to find out what interrupts it; then continue with --offset ${offset}`,
    exitCode: EXIT.unavailable,
  });
}
