import { HEADER } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { factsOf } from "./facts.ts";

interface Options {
  readonly offset?: string;
  readonly subOffset?: string;
}

export function addFork(stream: Command, io: Io): void {
  const command = stream
    .command("fork <source> <stream>")
    .description("create a stream that begins with what another one holds")
    .option("--offset <offset>", "take only what lies before this offset (default: everything)")
    .option("--sub-offset <n>", "take this many messages after it as well (bytes, unless the stream is JSON)")
    .action(async (source: string, name: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      // The source may be any content type; a fork that names none inherits it.
      const headers = {
        [HEADER.forkedFrom]: to.streamPath(source),
        ...(options.offset === undefined ? {} : { [HEADER.forkOffset]: options.offset }),
        ...(options.subOffset === undefined ? {} : { [HEADER.forkSubOffset]: options.subOffset }),
        ...to.authorization("manage"),
      };
      const response = await to.send("PUT", to.streamPath(name), { headers });
      const facts = { stream: name, source, url: to.streamUrl(name), ...factsOf(response) };
      await output.result(facts, to.streamUrl(name));
      output.note(`Forked ${name} from ${source}.`);
    });
  examples(
    command,
    "durable-streams stream fork chat chat-copy",
    "durable-streams stream fork chat what-if --offset 0000000000000007_0000000000000042",
  );
}
