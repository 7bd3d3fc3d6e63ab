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

/** The server accepts no shorter ones. */
const SECRET = /^[!-~]{32,512}$/;

/** The server accepts no token that lasts longer. */
const EXPIRES_SECONDS_MAX = 3_650 * 86_400;
const RIGHTS_EXAMPLE = '[{"streams":"room-*","scope":"read"},{"session":"alice","scope":"write"}]';

export function tokenCommand(program: Command, io: Io): void {
  const command = program
    .command("token")
    .description(`sign a token of a project with its secret (${ENVIRONMENT.secret}, or stdin); nothing is sent`)
    .addOption(
      new Option("--scope <scope...>", "what the token allows").choices(["read", "write", "manage"]).default(["read"]),
    )
    .option("--stream <stream>", "only for this stream; its name may not contain *")
    .option("--stream-prefix <prefix>", "only for streams whose names begin with this: chat/")
    .addOption(
      new Option("--rights <json>", `several rights instead: ${RIGHTS_EXAMPLE}`)
        .argParser(parseRights)
        .conflicts(["scope", "stream", "streamPrefix"]),
    )
    .option("--user <user>", "whom the token is made for; the verified author of what is appended with it")
    .option("--expires <duration>", "how long the token lasts: 90s, 15m, 12h, 30d", "1h")
    .option("--kid <kid>", "the id of the secret; the server need not try each then")
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
      const facts = { token, project, ...allowed, expiresAt: new Date(expiresAt * 1000) };
      await output.result(facts, token);
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
 * What the claim `stream_id` says: a star at its end makes a prefix of it. A name that comes from somebody else must not
 * become one by accident.
 */
function streamPattern({ stream, streamPrefix }: Options): string | undefined {
  if (stream !== undefined && streamPrefix !== undefined) {
    throw usageError("--stream and --stream-prefix exclude each other.", "give one of them");
  }
  if (stream?.includes("*") === true) {
    const prefix = shellWord(stream.slice(0, stream.indexOf("*")));
    throw usageError(
      "--stream names one stream, so it may not contain *.",
      `--stream-prefix ${prefix}, if a prefix is meant`,
    );
  }
  if (streamPrefix?.includes("*") === true) {
    throw usageError("--stream-prefix is the beginning of names, without a *.", "--stream-prefix chat/");
  }
  return streamPrefix === undefined ? stream : `${streamPrefix}*`;
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
      : "That is not a project's secret, which has 32 to 512 printable characters without spaces.";
  throw usageError(what, `${ENVIRONMENT.secret}=… durable-streams token, or pipe it in with --secret-stdin`);
}
