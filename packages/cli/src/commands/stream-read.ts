import { HEADER, isClosedHeader } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../context.ts";
import { CliError, EXIT, reasonOf } from "../failure.ts";
import type { Io } from "../io.ts";
import { StreamPrinter } from "../stream-printer.ts";

export function addRead(stream: Command, io: Io): void {
  stream
    .command("read <stream>")
    .description("what a stream holds; JSON streams one message a line, all others as they are")
    .option("--offset <offset>", "where to begin: -1 for all, or an offset", "-1")
    .action(async (name: string, options: { offset: string }, command: Command) => {
      const { output, server } = contextOf(command, io);
      const from = server();
      let printer: StreamPrinter | undefined;
      let { offset } = options;
      for (let isAtTail = false; !isAtTail;) {
        const parts = { query: { offset }, headers: from.authorization("read") };
        const { headers, body } = await from.send("GET", from.streamPath(name), parts);
        printer ??= new StreamPrinter(output, headers.get("Content-Type") ?? "");
        await print(body, printer, offset, io.signal);
        const closed = isClosedHeader(headers.get(HEADER.closed));
        isAtTail = closed || headers.get(HEADER.upToDate) === "true";
        offset = headers.get(HEADER.nextOffset) ?? offset;
        await printer.printProgress({ offset, upToDate: isAtTail, closed });
      }
      if (!output.json) output.note(`Read up to ${offset}`);
    });
}

async function print(body: Response["body"], printer: StreamPrinter, offset: string, signal: AbortSignal) {
  try {
    for await (const chunk of body ?? []) await printer.print(chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw new CliError("The answer broke off.", {
      code: "answer-incomplete",
      why: reasonOf(error),
      fix: `read again with --offset ${offset}: what came since is not complete`,
      exitCode: EXIT.unavailable,
      cause: error,
    });
  }
}
