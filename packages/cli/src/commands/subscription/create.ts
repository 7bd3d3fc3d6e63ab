import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { parseDuration } from "../../duration.ts";
import { usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { parseCount } from "../../numbers.ts";
import { subscriptionPath } from "./paths.ts";

interface Options {
  readonly webhook?: string;
  readonly wakeStream?: string;
  readonly pattern?: string;
  readonly stream?: readonly string[];
  readonly lease?: string;
  readonly description?: string;
  readonly deadLetter?: string;
  readonly maxAttempts?: string;
}

export function addCreate(subscription: Command, io: Io): void {
  const command = subscription
    .command("create <id>")
    .description("create a subscription; succeeds if it already exists with the same configuration")
    .option("--webhook <url>", "wake a worker with requests to this HTTPS URL")
    .option("--wake-stream <stream>", "or wake workers with an event in this existing JSON stream")
    .option("--pattern <pattern>", "wake for streams whose names match (* is one segment, ** any number)")
    .option("--stream <stream...>", "wake for these streams")
    .option("--lease <duration>", "time that a worker has to acknowledge, such as 30s")
    .option("--description <text>", "description of the subscription")
    .option("--dead-letter <stream>", "stream for events that could not be delivered")
    .option("--max-attempts <n>", "failed attempts before an event goes to the dead-letter stream", "20")
    .action(async (id: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const json = configurationOf(options);
      const to = server();
      const call = { json, headers: to.authorization("manage") };
      const made = await to.sendJson<{ status: string }>("PUT", subscriptionPath(to, id), call);
      await output.result(made, id);
      output.note(`The subscription ${id} exists. Its status is ${made.status}.`);
    });
  examples(
    command,
    "durable-streams subscription create orders --webhook https://worker.example.com/hooks --pattern 'orders/*'",
    "durable-streams subscription create pool --wake-stream wake/pool --stream jobs --lease 2m",
  );
}

function configurationOf(options: Options): object {
  const { webhook, wakeStream, pattern, stream, lease, description, deadLetter, maxAttempts } = options;
  if ((webhook === undefined) === (wakeStream === undefined)) {
    throw usageError(
      "Exactly one of --webhook and --wake-stream is required.",
      "use --webhook URL or --wake-stream STREAM",
    );
  }
  if (pattern === undefined && stream === undefined) {
    throw usageError("A subscription needs --pattern or --stream.", "use --pattern PATTERN or --stream STREAM...");
  }
  return {
    ...(webhook === undefined ? { type: "pull-wake", wake_stream: wakeStream } : { type: "webhook" }),
    ...(webhook === undefined ? {} : { webhook: { url: webhook } }),
    pattern,
    streams: stream,
    lease_ttl_ms: lease === undefined ? undefined : parseDuration(lease) * 1000,
    description,
    dead_letter:
      deadLetter === undefined
        ? undefined
        : { stream: deadLetter, max_attempts: parseCount("--max-attempts", maxAttempts) },
  };
}
