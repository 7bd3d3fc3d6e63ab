/** Appends many messages exactly once, however often a request is repeated, with the official client's producer. */

import { randomUUID } from "node:crypto";

import { HEADER } from "@durable-streams-cloudflare/protocol";
import { createFetchWithBackoff, DurableStream, FetchError, IdempotentProducer } from "@durable-streams/client";
import type { BackoffOptions } from "@durable-streams/client";

import { CliError, EXIT, reasonOf } from "./failure.ts";
import { PROGRAM } from "./help.ts";
import { parseProblem, refusal, unreachable, type Server } from "./server.ts";
import { shellWord } from "./shell-word.ts";

/** Retries for about twenty seconds before the command reports the failure. */
export const BACKOFF: BackoffOptions = { initialDelay: 200, maxDelay: 5_000, multiplier: 2, maxRetries: 8 };

/** How many messages the producer may hold unsent before the next one waits. */
const UNSENT_MAX = 5_000;
const UNSENT_LENGTH_MAX = 4 * 1024 * 1024;

interface Target {
  readonly name: string;
  readonly contentType: string;
  readonly signal: AbortSignal;
}

export interface Producer {
  /** Waits while too much is unsent. @throws CliError when an earlier message could not be appended. */
  append(message: string): Promise<void>;
  /** Waits until everything is appended. @returns the tail, or `null` if the token may not read it. @throws CliError */
  end(close: boolean): Promise<string | null>;
}

export function openProducer(server: Server, { name, contentType, signal }: Target): Producer {
  const headers = { Authorization: () => server.authorization("write").Authorization ?? "" };
  const isOpen = server.authorization("write").Authorization === undefined;
  const handle = new DurableStream({
    url: server.streamUrl(name),
    contentType,
    ...(isOpen ? {} : { headers }),
    backoffOptions: BACKOFF,
    warnOnHttp: false,
  });
  let failed: unknown;
  const producer = new IdempotentProducer(handle, `cli-${randomUUID()}`, {
    signal,
    fetch: createFetchWithBackoff(fetch, BACKOFF),
    onError: (error) => (failed ??= error),
  });
  let unsent = { messages: 0, length: 0 };
  const settle = async (): Promise<void> => {
    await producer.flush().catch((error: unknown) => (failed ??= error));
    unsent = { messages: 0, length: 0 };
    if (failed !== undefined) throw explain(failed, server, name);
  };
  return {
    append: async (message) => {
      producer.append(message);
      unsent = { messages: unsent.messages + 1, length: unsent.length + message.length };
      if (unsent.messages >= UNSENT_MAX || unsent.length >= UNSENT_LENGTH_MAX) await settle();
    },
    end: async (close) => {
      await settle();
      if (close) return (await handle.close()).finalOffset;
      return tailOf(server, name);
    },
  };
}

/** `null` if the token may only append. */
async function tailOf(server: Server, name: string): Promise<string | null> {
  try {
    const head = await server.send("HEAD", server.streamPath(name), { headers: server.authorization("read") });
    return head.headers.get(HEADER.nextOffset);
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.refused) return null;
    throw error;
  }
}

/** Translates an error of the official client. */
export function explain(error: unknown, { connection }: Server, stream: string): unknown {
  if (error instanceof CliError) return error;
  if (error instanceof FetchError) {
    return refusal(error.status, error.json ?? parseProblem(error.text ?? ""), { stream });
  }
  if (error instanceof TypeError) return unreachable(connection.url, error);
  if (typeof error !== "object" || error === null || !("status" in error) || typeof error.status !== "number") {
    return error;
  }
  return new CliError(reasonOf(error), {
    code: "code" in error && typeof error.code === "string" ? error.code.toLowerCase().replaceAll("_", "-") : "failed",
    fix: `check the stream: ${PROGRAM} stream head ${shellWord(stream)}`,
    exitCode: EXIT.failed,
  });
}
