/** Follows a stream by the official client, through whatever cuts its connections. */

import { stream as openStream, type ByteChunk, type StreamResponse } from "@durable-streams/client";

import { CliError, EXIT } from "./failure.ts";
import { BACKOFF, explain } from "./producer.ts";
import type { Server } from "./server.ts";
import { withResolvers } from "./with-resolvers.ts";

/** How long what the client has announced may take to arrive. */
const LAST_CHUNK_MS = 30_000;

export type LiveMode = "sse" | "long-poll";

export interface Following {
  readonly server: Server;
  readonly name: string;
  /** Where to begin. */
  readonly offset: string;
  readonly live: LiveMode;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called when it is known what the stream holds. */
  readonly begin: (contentType: string) => void;
  /** Called with one chunk after the other. */
  readonly print: (chunk: ByteChunk) => Promise<void>;
}

/**
 * Until the stream is closed or the signal ends it. The client gives a stream of events up when it was cut in a way that it does
 * not know; then a new one goes on from what has been printed.
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
      // A function: a long read outlives the tokens that it begins with.
      ...(isOpen ? {} : { headers: { Authorization: () => server.authorization("read").Authorization ?? "" } }),
    });
  } catch (error) {
    throw explain(error, server, name);
  }
}

/** The client says that it is closed before it has handed over what came last. @returns whether the stream is closed. */
async function drain(response: StreamResponse, print: (chunk: ByteChunk) => Promise<void>): Promise<boolean> {
  const last = withResolvers<true>();
  let [failed, isOver]: [unknown, boolean] = [undefined, false];
  let printed = Promise.resolve();
  response.subscribeBytes((chunk) => {
    // What comes now is read once more by the next response.
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
  if (!isClosed && failed === undefined && response.streamClosed) isClosed = await within(LAST_CHUNK_MS, last.promise);
  isOver = true;
  await printed;
  if (failed instanceof Error) throw failed;
  return isClosed;
}

async function within(limitMs: number, promise: Promise<true>): Promise<boolean> {
  const late = withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), limitMs);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

function cutOff(offset: string): CliError {
  return new CliError("The server ends every response before anything has come.", {
    code: "answer-incomplete",
    fix: `durable-streams doctor looks for what is in between; then continue with --offset ${offset}`,
    exitCode: EXIT.unavailable,
  });
}
