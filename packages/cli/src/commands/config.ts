import type { Command } from "commander";

import { explainConnection, ENVIRONMENT } from "../connection.ts";
import { contextOf } from "../context.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { table } from "../output.ts";
import { profilesPath } from "../profiles.ts";
import { checkCommand, explainCommand } from "./server-config.ts";

export function configCommand(program: Command, io: Io): void {
  const config = program.command("config").description("show the configuration of this tool, or of the server");
  const command = config
    .command("show")
    .description("show the server and the project in use, where each value comes from, and which secrets are set")
    .action(async (_options: object, called: Command) => {
      const { output, globals } = contextOf(called, io);
      const settings = explainConnection(globals, io.env);
      const secrets = (["secret", "token", "adminSecret"] as const).map((name) => ({
        name: ENVIRONMENT[name],
        isSet: (io.env[ENVIRONMENT[name]] ?? "") !== "",
      }));
      const profiles = profilesPath(io.env);
      await output.result(
        { settings, secrets, profiles },
        table([
          ...settings.map(({ name, value, source }) => [name, value ?? "-", source]),
          ...secrets.map(({ name, isSet }) => [name, isSet ? "(set)" : "-", isSet ? "environment" : ""]),
          ["profiles", profiles, ""],
        ]),
      );
    });
  examples(command, "durable-streams config show", "durable-streams --profile staging config show");
  explainCommand(config, io);
  checkCommand(config, io);
  examples(config, "durable-streams config show", "durable-streams config explain");
}
