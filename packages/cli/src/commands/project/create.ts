import type { Command } from "commander";

import { ENVIRONMENT } from "../../connection.ts";
import { contextOf } from "../../context.ts";
import { examples } from "../../help.ts";
import { readSecret, type Io } from "../../io.ts";
import { PROJECTS, type Project, type Secret } from "./paths.ts";

interface Options {
  readonly secretStdin?: true;
  readonly corsOrigin?: readonly string[];
  readonly publicStream?: readonly string[];
}

export function createProjectCommand(program: Command, io: Io): void {
  const command = program
    .command("create-project <name>")
    .description(`create a project and print its secret, which is shown only once (needs ${ENVIRONMENT.adminSecret})`)
    .option("--secret-stdin", "read the secret from stdin (default: a random secret)")
    .option("--cors-origin <origin...>", "allow calls from pages of these origins")
    .option("--public-stream <pattern...>", "let everybody read these streams (names, or prefixes that end in *)")
    .action(async (name: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const secret = options.secretStdin ? await readSecret(io.stdin) : undefined;
      const { corsOrigin: corsOrigins, publicStream: publicStreams } = options;
      const to = server();
      const made = await to.sendJson<{ project: Project; secret: Secret }>("POST", PROJECTS, {
        json: { name, secret, corsOrigins, publicStreams },
        headers: to.projectAuthorization(),
        subject: { project: name },
      });
      await output.result(made, made.secret.secret);
      output.note(`Created the project ${name}. Save the secret on stdout: it is not shown again.`);
      output.note(`To use the project: export ${ENVIRONMENT.secret}=… ${ENVIRONMENT.project}=${name}`);
    });
  examples(
    command,
    "durable-streams create-project demo",
    "durable-streams create-project demo --cors-origin https://app.example.com --public-stream 'news/*'",
  );
}
