import { createReadStream } from "node:fs";
import { resolve } from "node:path";

import { framingOf, HEADER, isClosedHeader } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../../context.ts";
import { CliError } from "../../failure.ts";
import { examples } from "../../help.ts";
import { checkFile, type Io } from "../../io.ts";
import { readLines } from "../../lines.ts";
import { counted } from "../../numbers.ts";
import { retryWhileUnavailable } from "../../retry.ts";
import type { Server } from "../../server.ts";
import { TransferMeter } from "../../transfer-meter.ts";
import type { ExportHeader } from "../../transfer/export-format.ts";
import { importParts } from "../../transfer/import-batches.ts";

interface Options {
  readonly file?: string;
  readonly lifetime: boolean;
}

export function addImport(stream: Command, io: Io): void {
  const command = stream
    .command("import <stream>")
    .description("create a stream from an export; if interrupted, run it again: nothing is appended twice")
    .option("--file <file>", "the export to read (default: stdin)")
    .option("--no-lifetime", "do not take over the lifetime and retention of the exported stream")
    .action(async (name: string, options: Options, called: Command) => {
      const { output, server, globals } = contextOf(called, io);
      const meter = new TransferMeter(io, "Imported", { isQuiet: globals.quiet === true });
      const input = options.file === undefined ? io.stdin : createReadStream(checkFile(resolve(io.cwd, options.file)));
      const importing = new Importing(server(), name, { hasLifetime: options.lifetime, meter, signal: io.signal });
      const result = await importing.run(readLines(input)).finally(() => meter.end());
      await output.result({ stream: name, ...result }, result.nextOffset ?? "");
      output.note(
        `Imported into ${name}: ${counted(result.appended, "append")}, and skipped ${result.skipped} that already existed.`,
      );
    });
  examples(
    command,
    "durable-streams stream import chat-copy --file chat.ndjson",
    "gunzip -c chat.ndjson.gz | durable-streams --url https://streams.example.com stream import chat",
  );
}

interface ImportOptions {
  readonly hasLifetime: boolean;
  readonly meter: TransferMeter;
  readonly signal: AbortSignal;
}

/** Each batch is an append of a producer that is named after the file, so the server recognises repeated batches. */
class Importing {
  readonly #server: Server;
  readonly #name: string;
  readonly #options: ImportOptions;
  #nextOffset: string | null = null;
  #seq = 0;
  /** The last sequence that an earlier run appended. */
  #knownSeq = -1;
  #skipped = 0;
  /** Whether the stream is closed: an earlier run has completed, or it is another stream. */
  #isSealed = false;

  constructor(server: Server, name: string, options: ImportOptions) {
    this.#server = server;
    this.#name = name;
    this.#options = options;
  }

  async run(lines: AsyncIterable<string>) {
    let header: ExportHeader | undefined;
    let closed = false;
    for await (const part of importParts(lines)) {
      if ("header" in part) {
        ({ header } = part);
        await this.#create(header);
      } else if (header === undefined) {
        throw notAnExport();
      } else if ("batch" in part) {
        await this.#append(header, part.batch);
      } else if (part.isClosed) {
        await this.#close(header);
        closed = true;
      }
    }
    if (header === undefined) throw notAnExport();
    if (this.#isSealed && !closed) throw isSealed(this.#name);
    const appended = this.#seq - this.#skipped;
    return { appended, skipped: this.#skipped, nextOffset: this.#nextOffset, closed };
  }

  async #create(header: ExportHeader): Promise<void> {
    const { contentType, ttlSeconds, expiresAt, retentionSeconds, retentionBytes } = header;
    const lifetime = {
      [HEADER.ttl]: ttlSeconds,
      // A stream has either a TTL or an expiry time.
      [HEADER.expiresAt]: ttlSeconds === null ? expiresAt : null,
      [HEADER.retentionSeconds]: retentionSeconds,
      [HEADER.retentionBytes]: retentionBytes,
    };
    const wanted = Object.entries(this.#options.hasLifetime ? lifetime : {}).filter(([, value]) => value !== null);
    const headers = Object.fromEntries(wanted.map(([name, value]) => [name, String(value)]));
    try {
      await this.#send("PUT", { "Content-Type": contentType, ...headers });
    } catch (error) {
      this.#isSealed = error instanceof CliError && error.code === "stream-exists" && (await this.#isClosed());
      if (!this.#isSealed) throw error;
    }
  }

  async #isClosed(): Promise<boolean> {
    const headers = this.#server.authorization("read");
    const head = await this.#server.send("HEAD", this.#server.streamPath(this.#name), { headers });
    return isClosedHeader(head.headers.get(HEADER.closed));
  }

  async #append({ id, contentType }: ExportHeader, batch: readonly string[]): Promise<void> {
    const seq = this.#seq;
    this.#seq += 1;
    const body = bodyOf(contentType, batch);
    this.#options.meter.add(body.length, framingOf(contentType) === "json" ? batch.length : 0);
    if (seq <= this.#knownSeq || this.#isSealed) {
      this.#skipped += 1;
      return;
    }
    const headers = { "Content-Type": contentType, ...producerHeaders(id, seq) };
    const answer = await this.#send("POST", headers, body);
    // 204 means that the batch was appended before; the header says up to which sequence.
    if (answer.status !== 204) return;
    this.#skipped += 1;
    this.#knownSeq = Number(answer.headers.get(HEADER.producerSeq) ?? seq);
  }

  /** Closes with the same producer, so that a stream closed by another one, with other data, is noticed. */
  async #close({ id }: ExportHeader): Promise<void> {
    await this.#send("POST", { [HEADER.closed]: "true", ...producerHeaders(id, this.#seq) });
  }

  async #send(method: string, headers: Record<string, string>, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const path = this.#server.streamPath(this.#name);
    const response = await retryWhileUnavailable(this.#options.signal, () => {
      const parts = { headers: { ...headers, ...this.#server.authorization("write") } };
      return this.#server.send(method, path, body === undefined ? parts : { ...parts, body });
    });
    this.#nextOffset = response.headers.get(HEADER.nextOffset) ?? this.#nextOffset;
    return response;
  }
}

function bodyOf(contentType: string, batch: readonly string[]): Uint8Array<ArrayBuffer> {
  if (framingOf(contentType) === "json") return new Uint8Array(Buffer.from(`[${batch.join(",")}]`));
  return new Uint8Array(Buffer.concat(batch.map((data) => Buffer.from(JSON.parse(data) as string, "base64"))));
}

function producerHeaders(id: string, seq: number): Record<string, string> {
  return { [HEADER.producerId]: `import-${id}`, [HEADER.producerEpoch]: "0", [HEADER.producerSeq]: String(seq) };
}

function isSealed(name: string): CliError {
  return new CliError(`${name} is closed, but the exported stream is not.`, {
    code: "stream-closed",
    fix: "import into another stream",
  });
}

function notAnExport(): CliError {
  return new CliError("The file is not an export of a stream.", {
    code: "export-unreadable",
    fix: "create an export with durable-streams stream export STREAM --output FILE; for other data, use stream append --lines",
  });
}
