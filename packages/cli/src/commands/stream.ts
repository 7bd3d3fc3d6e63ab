/** `stream …`: the protocol's operations on one stream. */

import { HEADER, isClosedHeader } from "@durable-streams-cloudflare/protocol";
import type { Command } from "commander";

import { contextOf } from "../context.ts";
import { parseDuration } from "../duration.ts";
import { readStdin, type Io } from "../io.ts";
import { table } from "../output.ts";
import { confirmLoss } from "../prompts.ts";
import type { Server } from "../server.ts";
import { addAppend } from "./stream-append.ts";
import { addRead } from "./stream-read.ts";
import { addTail } from "./stream-tail.ts";

interface CreateOptions {
  readonly contentType: string;
  readonly ttl?: string;
  readonly expiresAt?: string;
  readonly retentionSeconds?: string;
  readonly retentionBytes?: string;
  readonly closed?: true;
  readonly stdin?: true;
}

interface Listed {
  readonly name: string;
  readonly contentType: string;
  readonly createdAt: string;
  readonly isPublic: boolean;
}

interface StreamPage {
  readonly streams: readonly Listed[];
  readonly cursor: string | null;
}

export function streamCommand(program: Command, io: Io): void {
  const stream = program.command("stream").description("create, append to, read and follow streams");
  addCreate(stream, io);
  addAppend(stream, io);
  addRead(stream, io);
  addTail(stream, io);
  addHead(stream, io);
  addClose(stream, io);
  addDelete(stream, io);
  addList(stream, io);
  addFork(stream, io);
}

function addCreate(stream: Command, io: Io): void {
  stream
    .command("create <stream>")
    .description("create a stream; when it is there already, with the same configuration, that is fine")
    .option("--content-type <type>", "what it holds", "application/json")
    .option("--ttl <duration>", "it goes when it has not been used for so long: 90s, 12h, 30d")
    .option("--expires-at <time>", "it goes then: 2030-01-01T00:00:00Z")
    .option("--retention-seconds <n>", "what is older may go")
    .option("--retention-bytes <n>", "what lies further back may go")
    .option("--stdin", "takes its first data from stdin")
    .option("--closed", "closes it at once")
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const { output, server } = contextOf(command, io);
      const to = server();
      const headers = { ...headersOf(options), ...to.authorization("write") };
      const body = options.stdin ? { body: new Uint8Array(await readStdin(io.stdin)) } : {};
      const response = await to.send("PUT", to.streamPath(name), { headers, ...body });
      const created = response.status === 201;
      await output.result({ stream: name, url: to.streamUrl(name), created, ...factsOf(response) }, to.streamUrl(name));
      output.note(created ? `Created ${name}.` : `${name} was there already.`);
    });
}

function headersOf(options: CreateOptions): Record<string, string> {
  const given: readonly (readonly [string, string | undefined])[] = [
    ["Content-Type", options.contentType],
    [HEADER.ttl, options.ttl === undefined ? undefined : String(parseDuration(options.ttl))],
    [HEADER.expiresAt, options.expiresAt],
    [HEADER.retentionSeconds, options.retentionSeconds],
    [HEADER.retentionBytes, options.retentionBytes],
    [HEADER.closed, options.closed ? "true" : undefined],
  ];
  return Object.fromEntries(given.filter((header): header is readonly [string, string] => header[1] !== undefined));
}

function addHead(stream: Command, io: Io): void {
  stream
    .command("head <stream>")
    .description("what a stream is: content type, tail, lifetime, whether it is closed")
    .action(async (name: string, _options: object, command: Command) => {
      const { output, server } = contextOf(command, io);
      const from = server();
      const response = await from.send("HEAD", from.streamPath(name), { headers: from.authorization("read") });
      const facts = { stream: name, ...factsOf(response) };
      await output.result(facts, describe(facts));
    });
}

function describe(facts: object): string {
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  return table(known.map(([name, value]) => [name, String(value)]));
}

/** What the headers of an answer say about a stream. */
function factsOf({ headers }: Response) {
  return {
    contentType: headers.get("Content-Type"),
    nextOffset: headers.get(HEADER.nextOffset),
    closed: isClosedHeader(headers.get(HEADER.closed)),
    ttlSeconds: numberOf(headers.get(HEADER.ttl)),
    expiresAt: headers.get(HEADER.expiresAt),
    earliestOffset: headers.get(HEADER.earliestOffset),
    retentionSeconds: numberOf(headers.get(HEADER.retentionSeconds)),
    retentionBytes: numberOf(headers.get(HEADER.retentionBytes)),
  };
}

function numberOf(header: string | null): number | null {
  return header === null ? null : Number(header);
}

function addClose(stream: Command, io: Io): void {
  stream
    .command("close <stream>")
    .description("close a stream for good: nothing can be appended any more")
    .action(async (name: string, _options: object, command: Command) => {
      const { output, server } = contextOf(command, io);
      const to = server();
      const headers = { [HEADER.closed]: "true", ...to.authorization("write") };
      const response = await to.send("POST", to.streamPath(name), { headers });
      const nextOffset = response.headers.get(HEADER.nextOffset);
      await output.result({ stream: name, closed: true, nextOffset }, nextOffset ?? "");
      output.note(`Closed ${name}.`);
    });
}

function addDelete(stream: Command, io: Io): void {
  stream
    .command("delete <stream>")
    .description("delete a stream and all that is in it")
    .option("--yes", "does not ask")
    .action(async (name: string, options: { yes?: true }, command: Command) => {
      const { output, server } = contextOf(command, io);
      await confirmLoss(io, `All of ${name} will be gone. Delete it?`, options.yes === true);
      const to = server();
      await to.send("DELETE", to.streamPath(name), { headers: to.authorization("manage") });
      await output.result({ stream: name, deleted: true }, "");
      output.note(`Deleted ${name}.`);
    });
}

function addList(stream: Command, io: Io): void {
  stream
    .command("list")
    .description("the streams of the project, by name")
    .option("--prefix <prefix>", "only those whose names begin so", "")
    .action(async ({ prefix }: { prefix: string }, command: Command) => {
      const { output, server } = contextOf(command, io);
      const streams = await listStreams(server(), prefix);
      const rows = streams.map(({ name, contentType, createdAt }) => [name, contentType, createdAt]);
      await output.result({ streams }, table(rows));
    });
}

async function listStreams(server: Server, prefix: string): Promise<Listed[]> {
  const path = `/v1/projects/${encodeURIComponent(server.project)}/streams`;
  const { adminSecret } = server.connection;
  const headers = adminSecret === undefined ? server.authorization("read") : server.adminAuthorization();
  const pages = await server.sendPages<StreamPage>(path, { headers, query: { prefix } });
  return pages.flatMap(({ streams }) => streams);
}

interface ForkOptions {
  readonly offset?: string;
  readonly subOffset?: string;
}

function addFork(stream: Command, io: Io): void {
  stream
    .command("fork <source> <stream>")
    .description("create a stream that begins with what another holds")
    .option("--offset <offset>", "only what lies before it; without: all")
    .option("--sub-offset <n>", "and so many messages (bytes, where it is not JSON) after that")
    .action(async (source: string, name: string, options: ForkOptions, command: Command) => {
      const { output, server } = contextOf(command, io);
      const to = server();
      // The source may be any content type; a fork that names none inherits it.
      const headers = {
        [HEADER.forkedFrom]: to.streamPath(source),
        ...(options.offset === undefined ? {} : { [HEADER.forkOffset]: options.offset }),
        ...(options.subOffset === undefined ? {} : { [HEADER.forkSubOffset]: options.subOffset }),
        ...to.authorization("manage"),
      };
      const response = await to.send("PUT", to.streamPath(name), { headers });
      const facts = { stream: name, source, url: to.streamUrl(name), ...factsOf(response) };
      await output.result(facts, to.streamUrl(name));
      output.note(`Forked ${name} from ${source}.`);
    });
}
