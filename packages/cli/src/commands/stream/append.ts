import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { Readable } from "node:stream";

import { framingOf, HEADER } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import { checkFile, isInteractive, readStdin, type Io } from "../../io.ts";
import { readLines } from "../../lines.ts";
import { counted } from "../../numbers.ts";
import { openProducer } from "../../producer.ts";
import type { Server } from "../../server.ts";
import { TransferMeter } from "../../transfer-meter.ts";
import { contentTypeOf } from "./description.ts";

interface Options {
  readonly data?: string;
  readonly file?: string;
  readonly lines?: true;
  readonly contentType?: string;
  readonly close?: true;
}

export function addAppend(stream: Command, io: Io): void {
  const command = stream
    .command("append <stream>")
    .description("append stdin, a file or a text; on a JSON stream, one message or an array of messages")
    .option("--data <text>", "append this text")
    .option("--file <path>", "append this file")
    .option("--lines", "append each line as a separate message when it arrives, exactly once")
    .option("--content-type <type>", "content type of the data (default: the stream's)")
    .option("--close", "close the stream together with this append")
    .action(async (name: string, options: Options, called: Command) => {
      const { output, server, globals } = contextOf(called, io);
      const to = server();
      const input = inputOf(options, io);
      const contentType = options.contentType ?? (await contentTypeOf(to, name));
      if (options.lines) {
        const meter = new TransferMeter(io, "Appended", { isQuiet: globals.quiet === true });
        const lines = { name, contentType, input, close: options.close, signal: io.signal, meter };
        const { messages, nextOffset } = await appendLines(to, lines).finally(() => meter.end());
        await output.result({ stream: name, messages, nextOffset }, nextOffset ?? "");
        output.note(`Appended ${counted(messages, "message")} to ${name}.`);
        return;
      }
      const headers = {
        "Content-Type": contentType,
        ...(options.close ? { [HEADER.closed]: "true" } : {}),
        ...to.authorization("write"),
      };
      const body = typeof input === "string" ? input : new Uint8Array(await readStdin(input));
      const response = await to.send("POST", to.streamPath(name), { headers, body });
      const nextOffset = response.headers.get(HEADER.nextOffset);
      await output.result({ stream: name, nextOffset }, nextOffset ?? "");
      output.note(`Appended to ${name}.`);
    });
  examples(
    command,
    `durable-streams stream append chat --data '{"text":"hello"}'`,
    "durable-streams stream append photo --file photo.png",
    "tail -F events.ndjson | durable-streams stream append events --lines",
  );
}

function inputOf({ data, file, lines }: Options, io: Io): string | Readable {
  if (data !== undefined && file !== undefined)
    throw usageError("--data and --file cannot be used together.", "use only one of them");
  if (data !== undefined) {
    if (lines)
      throw usageError(
        "--lines and --data cannot be used together.",
        "omit --data and pipe in the lines, or use --file PATH",
      );
    return data;
  }
  if (file !== undefined) return createReadStream(checkFile(resolve(io.cwd, file)));
  if (isInteractive(io))
    throw usageError("There is no data to append.", "use --data TEXT, --file PATH, or pipe in the data");
  return io.stdin;
}

interface Lines {
  readonly name: string;
  readonly contentType: string;
  readonly input: string | Readable;
  readonly close: true | undefined;
  readonly signal: AbortSignal;
  readonly meter: TransferMeter;
}

async function appendLines(
  server: Server,
  { name, contentType, input, close, signal, meter }: Lines,
): Promise<{ messages: number; nextOffset: string | null }> {
  const isJson = framingOf(contentType) === "json";
  const producer = openProducer(server, { name, contentType, signal });
  let messages = 0;
  for await (const line of readLines(typeof input === "string" ? [input] : input)) {
    if (isJson && line.trim() === "") continue;
    if (isJson && !isJsonText(line)) {
      await producer.end(false);
      throw usageError(
        `Line ${messages + 1} is not valid JSON. All lines before it were appended.`,
        "correct the line and append the rest",
      );
    }
    messages += 1;
    await producer.append(isJson ? line : `${line}\n`);
    meter.add(Buffer.byteLength(line), 1);
  }
  return { messages, nextOffset: await producer.end(close === true) };
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
