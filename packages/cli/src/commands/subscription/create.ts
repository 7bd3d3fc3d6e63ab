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
    .description("create a subscription, or confirm that it exists with the same configuration")
    .option("--webhook <url>", "wake a worker with requests to this https URL")
    .option("--wake-stream <stream>", "or wake workers with an event in this JSON stream, which must exist")
    .option("--pattern <pattern>", "wake for streams whose names match: * is one segment, ** any number")
    .option("--stream <stream...>", "wake for these streams")
    .option("--lease <duration>", "how long a worker has before it must acknowledge: 30s")
    .option("--description <text>", "what it is for")
    .option("--dead-letter <stream>", "the stream that gets what could not be delivered")
    .option("--max-attempts <n>", "after how many failed attempts", "20")
    .action(async (id: string, options: Options, called: Command) => {
      const { output, server } = contextOf(called, io);
      const json = configurationOf(options);
      const to = server();
      const call = { json, headers: to.authorization("manage") };
      const made = await to.sendJson<{ status: string }>("PUT", subscriptionPath(to, id), call);
      await output.result(made, id);
      output.note(`The subscription ${id} exists; its status is ${made.status}.`);
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
    throw usageError("A subscription has one way to wake its worker.", "--webhook URL, or --wake-stream STREAM");
  }
  if (pattern === undefined && stream === undefined) {
    throw usageError("A subscription is for some streams.", "--pattern PATTERN, or --stream STREAM...");
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
