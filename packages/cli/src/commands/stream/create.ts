import { HEADER } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { examples } from "../../help.ts";
import { readStdin, type Io } from "../../io.ts";
import { descriptionOf } from "./description.ts";

interface Options {
  readonly contentType: string;
  readonly ttl?: string;
  readonly expiresAt?: string;
  readonly retentionSeconds?: string;
  readonly retentionBytes?: string;
  readonly recordAuthor?: true;
  readonly closed?: true;
  readonly stdin?: true;
}

export function addCreate(stream: Command, io: Io): void {
  const command = stream
    .command("create <stream>")
    .description("create a stream; succeeds if it already exists with the same configuration")
    .option("--content-type <type>", "content type of the stream", "application/json")
    .option("--ttl <duration>", "delete the stream after this long without use, such as 90s, 12h, 30d")
    .option("--expires-at <time>", "delete the stream at this time, such as 2030-01-01T00:00:00Z")
    .option("--retention-seconds <n>", "allow the server to remove data older than n seconds")
    .option("--retention-bytes <n>", "allow the server to remove all but the newest n bytes")
    .option("--record-author", "record the user of each append, for the envelopes of sessions")
    .option("--stdin", "read the first data from stdin")
    .option("--closed", "create the stream already closed")
    .action(async (name: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const to = server();
      const headers = { ...headersOf(options), ...to.authorization("write") };
      const body = options.stdin ? { body: new Uint8Array(await readStdin(io.stdin)) } : {};
      const response = await to.send("PUT", to.streamPath(name), { headers, ...body });
      const created = response.status === 201;
      await output.result(
        { stream: name, url: to.streamUrl(name), created, ...descriptionOf(response) },
        to.streamUrl(name),
      );
      output.note(created ? `Created ${name}.` : `${name} already exists.`);
    });
  examples(
    command,
    "durable-streams stream create chat",
    "durable-streams stream create logs/today --content-type text/plain --ttl 30d",
    "durable-streams stream create report --content-type application/pdf --closed --stdin < report.pdf",
  );
}

function headersOf(options: Options): Record<string, string> {
  const given: readonly (readonly [string, string | undefined])[] = [
    ["Content-Type", options.contentType],
    [HEADER.ttl, options.ttl === undefined ? undefined : String(parseDuration(options.ttl))],
    [HEADER.expiresAt, options.expiresAt],
    [HEADER.retentionSeconds, options.retentionSeconds],
    [HEADER.retentionBytes, options.retentionBytes],
    [HEADER.recordAuthor, options.recordAuthor ? "true" : undefined],
    [HEADER.closed, options.closed ? "true" : undefined],
  ];
  return Object.fromEntries(given.filter((header): header is readonly [string, string] => header[1] !== undefined));
}
