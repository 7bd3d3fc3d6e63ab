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
    .description(`create a project; its secret is shown only now (needs ${ENVIRONMENT.adminSecret})`)
    .option("--secret-stdin", "take the secret from stdin (default: a random one)")
    .option("--cors-origin <origin...>", "origins that browsers may call from")
    .option("--public-stream <pattern...>", "streams that everybody may read: names, or prefixes that end in *")
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
      output.note(`Created the project ${name}. Its secret, on stdout, is shown only now: keep it.`);
      output.note(`Use it: export ${ENVIRONMENT.secret}=… ${ENVIRONMENT.project}=${name}`);
    });
  examples(
    command,
    "durable-streams create-project demo",
    "durable-streams create-project demo --cors-origin https://app.example.com --public-stream 'news/*'",
  );
}
