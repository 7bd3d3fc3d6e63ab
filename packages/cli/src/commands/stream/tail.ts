import { framingOf, isTextual } from "@durable-streams-cloudflare/protocol";
import { Option, type Command } from "commander";

import { contextOf } from "../../context.ts";
import { CliError, StoppedBySignal, usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { LAST_MAX, LastRecords } from "../../last-records.ts";
import { followStream, type LiveMode } from "../../live-reader.ts";
import { parseCount } from "../../numbers.ts";
import type { Output } from "../../output.ts";
import type { Server } from "../../server.ts";
import { readPages } from "../../stream-pages.ts";
import { StreamPrinter, type Progress } from "../../stream-printer.ts";
import { contentTypeOf } from "./description.ts";

interface Options {
  readonly offset?: string;
  readonly lines?: string;
  readonly live: LiveMode;
  readonly count?: string;
}

export function addTail(stream: Command, io: Io): void {
  const command = stream
    .command("tail <stream>")
    .description("print new data as it is appended, until the stream is closed or you press Ctrl-C")
    .option("--offset <offset>", "begin at this offset: now (default), -1 for the beginning, or an offset")
    .option("-n, --lines <n>", `first print the last n messages (lines, if the stream is text); at most ${LAST_MAX}`)
    .addOption(new Option("--live <mode>", "how to wait for new data").choices(["sse", "long-poll"]).default("sse"))
    .option("--count <n>", "stop after this many new messages (chunks, if the stream is not JSON)")
    .action(async (name: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const limit = parseCount("--count", options.count);
      const from = server();
      const run = { output, signal: io.signal };
      const { offset, isClosed } = await begin(from, name, options, run);
      const reached = isClosed ? offset : await tail({ server: from, name, offset, live: options.live, limit }, run);
      if (!output.json) output.note(`Read up to ${reached}`);
      if (io.signal.aborted) throw new StoppedBySignal();
    });
  examples(
    command,
    "durable-streams stream tail chat",
    "durable-streams stream tail chat -n 10",
    "durable-streams stream tail chat --offset -1 --count 100 --json",
  );
}

interface Run {
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Prints the last messages if requested. @returns where to begin waiting for new data. */
async function begin(server: Server, name: string, { offset, lines }: Options, { output, signal }: Run) {
  const last = parseCount("--lines", lines);
  if (lines === undefined) return { offset: offset ?? "now", isClosed: false };
  if (offset !== undefined) throw usageError("--offset and --lines cannot be used together.", "use only one of them");
  if (last > LAST_MAX)
    throw usageError(
      `--lines can be at most ${LAST_MAX}.`,
      "to print the whole stream, use durable-streams stream read",
    );
  const contentType = await contentTypeOf(server, name);
  if (framingOf(contentType) !== "json" && !isTextual(contentType)) {
    throw usageError(`A stream of ${contentType} has no messages or lines to count.`, "omit --lines");
  }
  const printer = new StreamPrinter(output, contentType);
  const { records, reached } = await readLast(server, name, { last, isJson: printer.isJson, signal });
  await printer.printRecords(records);
  await printer.printProgress(reached);
  return { offset: reached.offset, isClosed: reached.closed };
}

interface Last {
  readonly last: number;
  readonly isJson: boolean;
  readonly signal: AbortSignal;
}

/** The server finds the last messages of a JSON stream, up to a limit. Otherwise the whole stream is read. */
async function readLast(server: Server, name: string, { last, isJson, signal }: Last) {
  const read = async (begin: Parameters<typeof readPages>[2]) => {
    const records = new LastRecords(isJson, last);
    let reached: Progress = { offset: "-1", closed: false, upToDate: false };
    for await (const { chunks, progress } of readPages(server, name, begin, signal)) {
      for await (const chunk of chunks) records.push(chunk);
      reached = progress;
    }
    return { records: records.take(), reached };
  };
  if (!isJson) return read("-1");
  return read({ last }).catch((error: unknown) => {
    if (error instanceof CliError && error.code === "parameter-invalid") return read("-1");
    throw error;
  });
}

interface Tailing {
  readonly server: Server;
  readonly name: string;
  readonly offset: string;
  readonly live: LiveMode;
  readonly limit: number;
}

/** @returns the offset up to which everything has been printed. */
async function tail({ limit, ...from }: Tailing, { output, signal }: Run): Promise<string> {
  const ended = new AbortController();
  let printer: StreamPrinter | undefined;
  return followStream({
    ...from,
    signal: AbortSignal.any([signal, ended.signal]),
    begin: (contentType) => (printer ??= new StreamPrinter(output, contentType, limit)),
    print: async ({ data, offset, upToDate, streamClosed: closed }) => {
      await printer?.print(data);
      await printer?.printProgress({ offset, upToDate, closed });
      if (printer?.isFull === true) ended.abort();
    },
  });
}
