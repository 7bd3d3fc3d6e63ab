import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { descriptionOf } from "./description.ts";

export function addHead(stream: Command, io: Io): void {
  const command = stream
    .command("head <stream>")
    .description("show a stream's content type, tail, lifetime, and whether it is closed")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const response = await from.send("HEAD", from.streamPath(name), { headers: from.authorization("read") });
      const result = { stream: name, ...descriptionOf(response) };
      await output.result(result, describe(result));
    });
  examples(command, "durable-streams stream head chat", "durable-streams stream head chat --json");
}

function describe(result: object): string {
  const known = Object.entries(result).filter(([, value]) => value !== null);
  return table(known.map(([name, value]) => [name, String(value)]));
}
