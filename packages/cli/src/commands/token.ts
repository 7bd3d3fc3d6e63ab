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
  readonly rights?: readonly object[];
  readonly user?: string;
  readonly expires: string;
  readonly kid?: string;
  readonly secretStdin?: true;
}

/** The server accepts no shorter ones. */
const SECRET = /^[!-~]{32,512}$/;

/** The server accepts no token that lasts longer. */
const EXPIRES_SECONDS_MAX = 3_650 * 86_400;
const RIGHTS_EXAMPLE = '[{"streams":"room-*","scope":"read"},{"session":"alice","scope":"write"}]';

export function tokenCommand(program: Command, io: Io): void {
  program
    .command("token")
    .description(`sign a token of a project with its secret (${ENVIRONMENT.secret}, or stdin); nothing is sent`)
    .addOption(
      new Option("--scope <scope...>", "what it allows").choices(["read", "write", "manage"]).default(["read"]),
    )
    .option("--stream <pattern>", "only this stream, or all whose name begins so: chat/*")
    .addOption(
      new Option("--rights <json>", `several rights instead: ${RIGHTS_EXAMPLE}`)
        .argParser(parseRights)
        .conflicts(["scope", "stream"]),
    )
    .option("--user <user>", "whom the token is made for; the verified author of what is appended with it")
    .option("--expires <duration>", "how long it lasts: 90s, 15m, 12h, 30d", "1h")
    .option("--kid <kid>", "which of the project's secrets this is; saves the server trying each")
    .option("--secret-stdin", "reads the secret from stdin")
    .action(async (options: Options, command: Command) => {
      const { output, server } = contextOf(command, io);
      const { project, connection } = server();
      const secret = options.secretStdin ? await readSecret(io.stdin) : connection.secret;
      const expiresAt = Math.floor(Date.now() / 1000) + parseExpires(options.expires);
      const { stream, rights, user, kid } = options;
      const scopes = rights === undefined ? options.scope : [];
      const token = signToken({ project, scopes, stream, rights, user, expiresAt, kid }, checkSecret(secret));
      const allowed = { scopes, stream: stream ?? null, rights: rights ?? null, user: user ?? null };
      const facts = { token, project, ...allowed, expiresAt: new Date(expiresAt * 1000) };
      await output.result(facts, token);
    });
}

/** What each right must be is the server's to say. */
function parseRights(text: string): readonly object[] {
  try {
    const rights: unknown = JSON.parse(text);
    if (Array.isArray(rights) && rights.every((right) => typeof right === "object" && right !== null)) return rights;
  } catch {
    // Told below.
  }
  throw usageError("--rights must be a list of rights, in JSON.", `--rights '${RIGHTS_EXAMPLE}'`);
}

function parseExpires(text: string): number {
  const seconds = parseDuration(text);
  if (seconds <= EXPIRES_SECONDS_MAX) return seconds;
  throw usageError("A token lasts ten years at the most.", "--expires 3650d");
}

function checkSecret(secret: string | undefined): string {
  if (secret !== undefined && SECRET.test(secret)) return secret;
  const what =
    secret === undefined
      ? "The project's secret is missing."
      : "That is no project's secret: it has 32 to 512 printable characters without spaces.";
  throw usageError(what, `${ENVIRONMENT.secret}=… durable-streams token, or pipe it in with --secret-stdin`);
}
