import { randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { resolve } from "node:path";

import { framingOf } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { usageError } from "../../failure.ts";
import { examples } from "../../help.ts";
import type { Io } from "../../io.ts";
import { JsonMessages } from "../../json-messages.ts";
import type { Output } from "../../output.ts";
import type { Server } from "../../server.ts";
import { readPages, type StreamPage } from "../../stream-pages.ts";
import { TransferMeter } from "../../transfer-meter.ts";
import { openAt, readPartialExport } from "../../transfer/export-file.ts";
import { dataLine, headerLine, markLine, type ExportHeader } from "../../transfer/export-format.ts";
import { descriptionOf } from "./description.ts";

export function addExport(stream: Command, io: Io): void {
  const command = stream
    .command("export <stream>")
    .description("export a stream to a file as NDJSON; if interrupted, run it again to resume")
    .requiredOption(
      "--output <file>",
      "the file to write; if it already has an export of this stream, new data is added",
    )
    .action(async (name: string, { output: file }: { output: string }, called: Command) => {
      const { output, server, globals } = contextOf(called, io);
      const meter = new TransferMeter(io, "Exported", { isQuiet: globals.quiet === true });
      const path = resolve(io.cwd, file);
      const reached = await exportTo(path, { server: server(), name, meter, io }).finally(() => meter.end());
      await report(output, { stream: name, file: path, ...reached }, meter);
    });
  examples(
    command,
    "durable-streams stream export chat --output chat.ndjson",
    "durable-streams stream export chat --output chat.ndjson --json",
  );
}

interface ExportResult {
  readonly stream: string;
  readonly file: string;
  readonly nextOffset: string;
  readonly closed: boolean;
}

async function report(output: Output, result: ExportResult, meter: TransferMeter): Promise<void> {
  await output.result(result, result.nextOffset);
  output.note(`Exported ${result.stream} up to ${result.nextOffset} to ${result.file} (${meter.describe()} new).`);
}

interface Exporting {
  readonly server: Server;
  readonly name: string;
  readonly meter: TransferMeter;
  readonly io: Io;
}

async function exportTo(path: string, { server, name, meter, io }: Exporting) {
  const partial = await readPartialExport(path);
  const url = server.streamUrl(name);
  if (partial !== undefined && partial.header.url !== url) {
    throw usageError(
      `${path} is an export of another stream: ${partial.header.url}.`,
      "use another file: --output FILE",
    );
  }
  const header = partial?.header ?? (await describe(server, name));
  const file = await openAt(path, partial?.length ?? 0);
  let reached = { nextOffset: partial?.mark?.offset ?? "-1", closed: partial?.mark?.closed ?? false };
  try {
    if (partial === undefined) await file.appendFile(headerLine(header));
    let position = partial?.length ?? Buffer.byteLength(headerLine(header));
    if (reached.closed) return reached;
    for await (const page of readPages(server, name, reached.nextOffset, io.signal)) {
      position += await writePage(file, position, page, meter);
      reached = { nextOffset: page.progress.offset, closed: page.progress.closed };
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return reached;
}

async function describe(server: Server, name: string): Promise<ExportHeader> {
  const head = await server.send("HEAD", server.streamPath(name), { headers: server.authorization("read") });
  const { contentType, ttlSeconds, expiresAt, retentionSeconds, retentionBytes } = descriptionOf(head);
  const lifetime = { ttlSeconds, expiresAt, retentionSeconds, retentionBytes };
  return { version: 1, id: randomUUID(), url: server.streamUrl(name), contentType: contentType ?? "", ...lifetime };
}

/** @returns the number of bytes that were written. */
async function writePage(file: FileHandle, begin: number, page: StreamPage, meter: TransferMeter): Promise<number> {
  const messages = framingOf(page.contentType) === "json" ? new JsonMessages() : undefined;
  const decoder = new TextDecoder();
  let position = begin;
  const write = async (text: string): Promise<void> => {
    const bytes = Buffer.from(text);
    await file.write(bytes, 0, bytes.length, position);
    position += bytes.length;
  };
  for await (const chunk of page.chunks) {
    if (messages === undefined) {
      await write(dataLine(JSON.stringify(Buffer.from(chunk).toString("base64"))));
      meter.add(chunk.length);
      continue;
    }
    const whole = messages.push(decoder.decode(chunk, { stream: true }));
    await write(whole.map(dataLine).join(""));
    meter.add(chunk.length, whole.length);
  }
  await write(markLine(page.progress));
  return position - begin;
}
