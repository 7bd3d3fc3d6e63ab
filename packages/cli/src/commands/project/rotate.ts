import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import { readSecret, type Io } from "../../io.ts";
import { shellWord } from "../../shell-word.ts";
import { projectPath, type Secret } from "./paths.ts";

export function addRotate(project: Command, io: Io): void {
  const command = project
    .command("rotate <name>")
    .description("add a secret and print it; it is shown only once, and older secrets stay valid until you revoke them")
    .option("--secret-stdin", "read the secret from stdin (default: a random secret)")
    .action(async (name: string, options: { secretStdin?: true }, called: Command) => {
      const { output, server } = contextOf(called, io);
      const json = options.secretStdin ? { secret: await readSecret(io.stdin) } : {};
      const to = server();
      const parts = { json, headers: to.projectAuthorization() };
      const { secret } = await to.sendJson<{ secret: Secret }>("POST", `${projectPath(name)}/secrets`, parts);
      await output.result({ project: name, secret }, secret.secret);
      const word = shellWord(name);
      output.note(`The id of this secret is ${secret.kid}. When all clients use it, revoke the old secrets:`);
      output.note(`  durable-streams project keys ${word}; durable-streams project revoke ${word} KID`);
    });
  examples(
    command,
    "durable-streams project rotate demo",
    "durable-streams project rotate demo --secret-stdin < secret",
  );
}
