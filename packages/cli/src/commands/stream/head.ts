import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { table } from "../../output.ts";
import { factsOf } from "./facts.ts";

export function addHead(stream: Command, io: Io): void {
  const command = stream
    .command("head <stream>")
    .description("describe a stream: its content type, tail and lifetime, and whether it is closed")
    .action(async (name: string, _options: object, called: Command) => {
      const { output, server } = contextOf(called, io);
      const from = server();
      const response = await from.send("HEAD", from.streamPath(name), { headers: from.authorization("read") });
      const facts = { stream: name, ...factsOf(response) };
      await output.result(facts, describe(facts));
    });
  examples(command, "durable-streams stream head chat", "durable-streams stream head chat --json");
}

function describe(facts: object): string {
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  return table(known.map(([name, value]) => [name, String(value)]));
}
