import { Option, type Command } from "commander";

import { ENVIRONMENT } from "../connection.ts";
import { contextOf } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { usageError } from "../failure.ts";
import { examples } from "../help.ts";
import { readSecret, type Io } from "../io.ts";
import { shellWord } from "../shell-word.ts";
import { signToken, type Scope } from "../token.ts";

interface Options {
  readonly scope: readonly Scope[];
  readonly stream?: string;
  readonly streamPrefix?: string;
  readonly rights?: readonly object[];
  readonly user?: string;
  readonly expires: string;
  readonly kid?: string;
  readonly secretStdin?: true;
}

/** The server accepts no other secrets. */
const SECRET = /^[!-~]{32,512}$/;

/** The server accepts no tokens with a longer lifetime. */
const EXPIRES_SECONDS_MAX = 3_650 * 86_400;
const RIGHTS_EXAMPLE = '[{"streams":"room-*","scope":"read"},{"session":"alice","scope":"write"}]';

export function tokenCommand(program: Command, io: Io): void {
  const command = program
    .command("token")
    .description(`sign a token with the project's secret (${ENVIRONMENT.secret} or stdin), without calling the server`)
    .addOption(
      new Option("--scope <scope...>", "scopes of the token").choices(["read", "write", "manage"]).default(["read"]),
    )
    .option("--stream <stream>", "limit the token to this stream, whose name may not contain *")
    .option("--stream-prefix <prefix>", "limit the token to streams whose names begin with this prefix, such as chat/")
    .addOption(
      new Option("--rights <json>", `several rights instead of --scope and --stream: ${RIGHTS_EXAMPLE}`)
        .argParser(parseRights)
        .conflicts(["scope", "stream", "streamPrefix"]),
    )
    .option("--user <user>", "user that the token is issued to: the verified author of appends made with it")
    .option("--expires <duration>", "lifetime of the token, such as 90s, 15m, 12h, 30d", "1h")
    .option("--kid <kid>", "id of the secret, so that the server need not try each one")
    .option("--secret-stdin", "read the secret from stdin")
    .action(async (options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const { project, connection } = server();
      const secret = options.secretStdin ? await readSecret(io.stdin) : connection.secret;
      const expiresAt = Math.floor(Date.now() / 1000) + parseExpires(options.expires);
      const { rights, user, kid } = options;
      const stream = streamPattern(options);
      const scopes = rights === undefined ? options.scope : [];
      const token = signToken({ project, scopes, stream, rights, user, expiresAt, kid }, checkSecret(secret));
      const allowed = { scopes, stream: stream ?? null, rights: rights ?? null, user: user ?? null };
      const result = { token, project, ...allowed, expiresAt: new Date(expiresAt * 1000) };
      await output.result(result, token);
    });
  examples(
    command,
    "durable-streams token --stream chat --expires 12h",
    "durable-streams token --scope read write --stream-prefix chat/",
    `durable-streams token --user alice --rights '[{"streams":"room-1","scope":"read"}]'`,
    "durable-streams token --scope manage --secret-stdin < secret",
  );
}

/**
 * The claim `stream_id`. A star at its end makes it a prefix, which must not happen by accident with a name that comes from
 * somebody else.
 */
function streamPattern({ stream, streamPrefix }: Options): string | undefined {
  if (stream !== undefined && streamPrefix !== undefined) {
    throw usageError("--stream and --stream-prefix cannot be used together.", "use only one of them");
  }
  if (stream?.includes("*") === true) {
    const prefix = shellWord(stream.slice(0, stream.indexOf("*")));
    throw usageError(
      "--stream names a single stream, so it may not contain *.",
      `for a prefix, use --stream-prefix ${prefix}`,
    );
  }
  if (streamPrefix?.includes("*") === true) {
    throw usageError("--stream-prefix may not contain *.", "use the beginning of the names: --stream-prefix chat/");
  }
  return streamPrefix === undefined ? stream : `${streamPrefix}*`;
}

/** The server checks the content of each right. */
function parseRights(text: string): readonly object[] {
  try {
    const rights: unknown = JSON.parse(text);
    if (Array.isArray(rights) && rights.every((right) => typeof right === "object" && right !== null)) return rights;
  } catch {
    // Reported below.
  }
  throw usageError("--rights must be a JSON array of rights.", `use the form --rights '${RIGHTS_EXAMPLE}'`);
}

function parseExpires(text: string): number {
  const seconds = parseDuration(text);
  if (seconds <= EXPIRES_SECONDS_MAX) return seconds;
  throw usageError("The lifetime of a token is at most ten years.", "use --expires 3650d or less");
}

function checkSecret(secret: string | undefined): string {
  if (secret !== undefined && SECRET.test(secret)) return secret;
  const what =
    secret === undefined
      ? "The project's secret is missing."
      : "The secret is malformed: it must have 32 to 512 printable characters without spaces.";
  throw usageError(what, `${ENVIRONMENT.secret}=… durable-streams token, or use --secret-stdin`);
}
