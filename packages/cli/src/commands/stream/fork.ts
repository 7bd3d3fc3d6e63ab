import { HEADER } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { descriptionOf } from "./description.ts";

interface Options {
  readonly offset?: string;
  readonly subOffset?: string;
}

export function addFork(stream: Command, io: Io): void {
  const command = stream
    .command("fork <source> <stream>")
    .description("create a stream that begins with the data of another one")
    .option("--offset <offset>", "fork at this offset (default: the end of the source)")
    .option("--sub-offset <n>", "fork this many messages after the offset (bytes, if the stream is not JSON)")
    .action(async (source: string, name: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      // Without a content type, the fork takes over that of its source.
      const headers = {
        [HEADER.forkedFrom]: to.streamPath(source),
        ...(options.offset === undefined ? {} : { [HEADER.forkOffset]: options.offset }),
        ...(options.subOffset === undefined ? {} : { [HEADER.forkSubOffset]: options.subOffset }),
        ...to.authorization("manage"),
      };
      // If a stream does not exist, it is the source.
      const response = await to.send("PUT", to.streamPath(name), { headers, subject: { stream: source } });
      const result = { stream: name, source, url: to.streamUrl(name), ...descriptionOf(response) };
      await output.result(result, to.streamUrl(name));
      output.note(`Forked ${name} from ${source}.`);
    });
  examples(
    command,
    "durable-streams stream fork chat chat-copy",
    "durable-streams stream fork chat what-if --offset 0000000000000007_0000000000000042",
  );
}
