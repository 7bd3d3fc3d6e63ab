/**
 * Reading a range that one or more objects have, page by page. The bytes of a fork lie in the streams that it comes from;
 * each of them is asked directly.
 */

import type { Result, Stretch } from "@durable-streams-cloudflare/protocol";

import type { PageFacts, ReadCommand, ReadFacts } from "../stream/commands.ts";
import type { StreamClient } from "./stream-client.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A read with its first page, wherever that came from. */
export async function readFirstPage(stream: StreamClient, command: ReadCommand): Promise<Result<ReadFacts>> {
  const facts = await stream.call((stub) => stub.read(command));
  if (!facts.ok || facts.notModified || facts.page.length > 0) return facts;
  const [first] = facts.stretches;
  if (first === undefined) return facts;
  const checkFrom = command.from.kind === "at" ? ({ checkFrom: true } as const) : {};
  const page = await fetchPage(stream, { ...first, paging: command.paging, ...checkFrom });
  return page.ok ? { ...facts, page: page.page, end: page.end } : page;
}

/**
 * The page after a position.
 * @throws Error when the bytes are gone: the body then breaks off, which clients notice as a failed read.
 */
export async function nextPage(stream: StreamClient, stretches: readonly Stretch[], position: number): Promise<Bytes> {
  const stretch = stretches.find(({ to }) => position < to);
  if (stretch === undefined) throw new Error("The read went beyond its range.");
  const result = await fetchPage(stream, { ...stretch, from: position, paging: "bytes" });
  if (!result.ok) throw new Error(`The read ended early: ${result.problem.code}.`);
  if (result.page.length === 0) throw new Error("The read ended early: the log has a hole.");
  return result.page;
}

type StretchPage = Stretch & { readonly paging: ReadCommand["paging"]; readonly checkFrom?: true };

function fetchPage(stream: StreamClient, { name, ...command }: StretchPage): Promise<Result<PageFacts>> {
  return stream.of(name).call((stub) => stub.page(command));
}
