import { stream as openStream, type ByteChunk, type StreamResponse } from "@durable-streams/client";
import { Option, type Command } from "commander";

import { contextOf } from "../context.ts";
import { usageError } from "../failure.ts";
import type { Io } from "../io.ts";
import { BACKOFF, explain } from "../producer.ts";
import type { Server } from "../server.ts";
import { StreamPrinter } from "../stream-printer.ts";

interface Options {
  readonly offset: string;
  readonly live: "sse" | "long-poll";
  readonly count?: string;
}

export function addTail(stream: Command, io: Io): void {
  stream
    .command("tail <stream>")
    .description("what is appended, as it comes, until the stream is closed or you press Ctrl-C")
    .option("--offset <offset>", "where to begin: now, -1, or an offset", "now")
    .addOption(new Option("--live <mode>", "how to wait").choices(["sse", "long-poll"]).default("sse"))
    .option("--count <n>", "ends after so many messages (pieces, where it is not JSON)")
    .action(async (name: string, options: Options, command: Command) => {
      const { output, server } = contextOf(command, io);
      const limit = parseCount(options.count);
      const ended = new AbortController();
      const signal = AbortSignal.any([io.signal, ended.signal]);
      const response = await open(server(), name, options, signal);
      const printer = new StreamPrinter(output, response.contentType ?? "", limit);
      let offset = response.startOffset;
      await follow(response, async (chunk) => {
        await printer.print(chunk.data);
        offset = chunk.offset;
        await printer.printProgress({ offset, upToDate: chunk.upToDate, closed: chunk.streamClosed });
        if (printer.isFull) ended.abort();
      }).catch((error: unknown) => {
        if (!signal.aborted) throw explain(error, server().connection.url);
      });
      if (!output.json) output.note(`Read up to ${offset}`);
      io.signal.throwIfAborted();
    });
}

async function open(server: Server, name: string, { offset, live }: Options, signal: AbortSignal) {
  const isOpen = server.authorization("read").Authorization === undefined;
  try {
    return await openStream({
      url: server.streamUrl(name),
      offset,
      live,
      signal,
      warnOnHttp: false,
      backoffOptions: BACKOFF,
      // A function: a long read outlives the tokens that it begins with.
      ...(isOpen ? {} : { headers: { Authorization: () => server.authorization("read").Authorization ?? "" } }),
    });
  } catch (error) {
    throw explain(error, server.connection.url);
  }
}

/** Until the stream is closed, or there is an error; everything that came has been printed then. */
async function follow(response: StreamResponse, print: (chunk: ByteChunk) => Promise<void>): Promise<void> {
  let failed: unknown;
  let printed = Promise.resolve();
  response.subscribeBytes((chunk) => {
    printed = print(chunk).catch((error: unknown) => {
      failed ??= error;
      response.cancel(error);
    });
    return printed;
  });
  await response.closed;
  await printed;
  if (failed instanceof Error) throw failed;
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw usageError("--count must be a whole number from 1.", "--count 10");
  return Number(text);
}
