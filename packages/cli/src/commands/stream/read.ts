import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { parseCount } from "../../numbers.ts";
import { readPages } from "../../stream-pages.ts";
import { StreamPrinter } from "../../stream-printer.ts";
import { TransferMeter } from "../../transfer-meter.ts";

interface Options {
  readonly offset: string;
  readonly limit?: string;
}

export function addRead(stream: Command, io: Io): void {
  const command = stream
    .command("read <stream>")
    .description("print the data of a stream: one JSON message per line, or the unchanged bytes")
    .option("--offset <offset>", "begin at this offset (-1 is the beginning)", "-1")
    .option("--limit <n>", "stop after this many messages (chunks, if the stream is not JSON)")
    .action(async (name: string, options: Options, called: Command) => {
      const { output, server, globals } = contextOf(called, io);
      const limit = parseCount("--limit", options.limit);
      const meter = new TransferMeter(io, "Read", { isQuiet: globals.quiet === true });
      let printer: StreamPrinter | undefined;
      let { offset } = options;
      try {
        for await (const { contentType, chunks, progress } of readPages(server(), name, offset, io.signal)) {
          printer ??= new StreamPrinter(output, contentType, limit);
          for await (const chunk of chunks) {
            const before = printer.printed;
            await printer.print(chunk);
            meter.add(chunk.length, printer.isJson ? printer.printed - before : 0);
            if (printer.isFull) return;
          }
          ({ offset } = progress);
          await printer.printProgress(progress);
        }
      } finally {
        meter.end();
      }
      if (!output.json) output.note(`Read up to ${offset}`);
    });
  examples(
    command,
    "durable-streams stream read chat",
    "durable-streams stream read chat --offset 0000000000000007_0000000000000042 --limit 100",
    "durable-streams stream read photo > photo.png",
  );
}
