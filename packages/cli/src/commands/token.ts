import { Option, type Command } from "commander";

import { ENVIRONMENT } from "../connection.ts";
import { contextOf } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { usageError } from "../failure.ts";
import { readSecret, type Io } from "../io.ts";
import { signToken, type Scope } from "../token.ts";

interface Options {
  readonly scope: readonly Scope[];
  readonly stream?: string;
  readonly expires: string;
  readonly kid?: string;
  readonly secretStdin?: true;
}

/** The server accepts no shorter ones. */
const SECRET = /^[!-~]{32,512}$/;

export function tokenCommand(program: Command, io: Io): void {
  program
    .command("token")
    .description(`sign a token of a project with its secret (${ENVIRONMENT.secret}, or stdin); nothing is sent`)
    .addOption(
      new Option("--scope <scope...>", "what it allows").choices(["read", "write", "manage"]).default(["read"]),
    )
    .option("--stream <pattern>", "only this stream, or all whose name begins so: chat/*")
    .option("--expires <duration>", "how long it lasts: 90s, 15m, 12h, 30d", "1h")
    .option("--kid <kid>", "which of the project's secrets this is; saves the server trying each")
    .option("--secret-stdin", "reads the secret from stdin")
    .action(async (options: Options, command: Command) => {
      const { output, server } = contextOf(command, io);
      const { project, connection } = server();
      const secret = options.secretStdin ? await readSecret(io.stdin) : connection.secret;
      const expiresAt = Math.floor(Date.now() / 1000) + parseDuration(options.expires);
      const { scope: scopes, stream, kid } = options;
      const token = signToken({ project, scopes, stream, expiresAt, kid }, checkSecret(secret));
      const facts = { token, project, scopes, stream: stream ?? null, expiresAt: new Date(expiresAt * 1000) };
      await output.result(facts, token);
    });
}

function checkSecret(secret: string | undefined): string {
  if (secret !== undefined && SECRET.test(secret)) return secret;
  const what =
    secret === undefined
      ? "The project's secret is missing."
      : "That is no project's secret: it has 32 to 512 printable characters without spaces.";
  throw usageError(what, `${ENVIRONMENT.secret}=… durable-streams token, or pipe it in with --secret-stdin`);
}
