import { HEADER } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";

export function addClose(stream: Command, io: Io): void {
  const command = stream
    .command("close <stream>")
    .description("close a stream permanently, so that nothing more can be appended")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      const headers = { [HEADER.closed]: "true", ...to.authorization("write") };
      const response = await to.send("POST", to.streamPath(name), { headers });
      const nextOffset = response.headers.get(HEADER.nextOffset);
      await output.result({ stream: name, closed: true, nextOffset }, nextOffset ?? "");
      output.note(`Closed ${name}.`);
    });
  examples(command, "durable-streams stream close chat");
}
