import { parseConfig } from "@durable-streams-cloudflare/core/config";
import type { ReadCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import type { SegmentStore } from "@durable-streams-cloudflare/core/log/segment-store";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { RestOfRange } from "@durable-streams-cloudflare/http/client/paging";
import { SharedReads } from "@durable-streams-cloudflare/http/client/shared-reads";
import { startReading } from "@durable-streams-cloudflare/http/client/start-reading";
import { StreamClient } from "@durable-streams-cloudflare/http/client/stream-client";
import type { StreamObjects } from "@durable-streams-cloudflare/http/ports";
import { textOf } from "@durable-streams-cloudflare/testkit";

/** What the edge reads with, on Node.js: the same code, other objects. */
export interface NodeReader {
  readonly stream: StreamClient;
  readonly segments: SegmentStore | undefined;
  readonly reads: SharedReads;
  readonly keepAlive: () => void;
  readonly config: ReturnType<typeof parseConfig>;
}

export function readerOf(name: string, streamOf: (name: string) => Stream, segments?: SegmentStore): NodeReader {
  const stubOf = (target: string) => {
    const stream = streamOf(target);
    return {
      head: async () => stream.head(),
      read: async (command: ReadCommand) => stream.read(command),
      page: async (command: Parameters<Stream["page"]>[0]) => stream.page(command),
    };
  };
  const attach: StreamObjects["attach"] = async (target, from, admission) => {
    const result = streamOf(target).attach(from, admission);
    if (result.ok && result.status === "live") throw new Error("Nobody waits for what comes next here.");
    return result.ok ? { ok: true, result, channel: undefined } : result;
  };
  const stream = new StreamClient({ getByName: stubOf, attach } as unknown as StreamObjects, name);
  const reads = new SharedReads(false);
  return { stream, segments, reads, keepAlive: () => undefined, config: parseConfig({ LOG_LEVEL: "off" }) };
}

export interface Content {
  /** The text, or the code of the problem. */
  readonly text: string;
  /** Lengths of the pages that it came in. */
  readonly pages: readonly number[];
  readonly to: number;
}

/** Reads one response's worth, as a GET does. */
export async function readText(
  reader: NodeReader,
  from: ReadCommand["from"] = { kind: "start" },
  paging: ReadCommand["paging"] = "bytes",
): Promise<Content> {
  const reading = await startReading(reader, { from, ifNoneMatch: null, paging });
  if (!reading.ok) return { text: reading.problem.code, pages: [], to: 0 };
  const rest = new RestOfRange(reader, reading);
  const pages = [reading.result.page];
  for (
    let at = reading.result.from + reading.result.page.length;
    at < reading.result.to;
    at += pages.at(-1)?.length ?? 0
  ) {
    pages.push(await rest.next(at));
  }
  return { text: pages.map(textOf).join(""), pages: pages.map(({ length }) => length), to: reading.result.to };
}
