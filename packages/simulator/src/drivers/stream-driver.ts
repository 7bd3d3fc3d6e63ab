import type {
  AppendCommand,
  AppendResult,
  CreateCommand,
  ReadResult,
} from "@durable-streams-cloudflare/core/contracts/stream";
import { isGuess, refuseForeign } from "@durable-streams-cloudflare/core/stream/read/resolve-offset";
import { START_MS } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { emptyBody, toBody, toStored } from "@durable-streams-cloudflare/http/codec/payload";
import {
  framingOf,
  HEADER,
  KEEP_ALL,
  offsetAt,
  parseOffset,
  refAt,
  type Lineage,
  type OffsetRef,
  type Problem,
  type Result,
  type Stretch,
} from "@durable-streams-cloudflare/protocol";
import { concatBytes } from "@durable-streams-cloudflare/testkit";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";

import {
  INTERRUPTION_MS,
  RESTART_MS,
  type Append,
  type Command,
  type Create,
  type Driver,
  type Interruption,
  type Observed,
} from "../model/commands.ts";
import { bodyOf, CONTENT_TYPES, contentText } from "../model/content.ts";
import { befall, StreamWorld } from "../worlds/stream-world.ts";
import { Lost } from "../worlds/world.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Drives streams on SQLite of Node.js; a restart forgets everything but the database. */
export class StreamDriver implements Driver {
  readonly startMs = START_MS;
  readonly world: StreamWorld;

  constructor(world = new StreamWorld()) {
    this.world = world;
  }

  async apply(command: Command): Promise<Observed> {
    switch (command.kind) {
      case "create": {
        const result = await this.world.ask(command.name, (stream) => stream.create(createCommand(command)));
        return result.ok
          ? { outcome: result.created ? "created" : "exists", closed: result.closed, offset: offsetOf(result) }
          : refused(result.problem);
      }
      case "append":
        return this.#append(command);
      case "read":
        return this.#read(command.name, command.offset, command.etag);
      case "head": {
        const result = this.world.stream(command.name).head();
        if (!result.ok) return refused(result.problem);
        const { closed, streamSeq } = result;
        return { outcome: "head", closed, offset: offsetOf(result), ...(streamSeq === undefined ? {} : { streamSeq }) };
      }
      case "remove": {
        const result = await this.world.ask(command.name, (stream) => stream.remove());
        return result.ok ? { outcome: "removed" } : refused(result.problem);
      }
      case "advance":
        this.world.nowMs += command.ms;
        return { outcome: "done" };
      case "alarm":
        await this.world.fireAlarm(command.name);
        return { outcome: "done" };
      case "restart":
        this.world.nowMs += RESTART_MS;
        this.world.crash(command.name);
        return { outcome: "done" };
    }
  }

  /** Those after the first share a commit. */
  applyTogether(appends: readonly Append[]): Promise<Observed[]> {
    return Promise.all(appends.map((append) => this.#append(append)));
  }

  settle(): Promise<void> {
    return this.world.fireAllAlarms(this.world.nowMs + 1);
  }

  /** Steps are messages between objects and waits for the disk. */
  async interrupt({ command, steps, mishap }: Interruption): Promise<Observed> {
    const { world } = this;
    const endMs = world.nowMs + INTERRUPTION_MS;
    const source = command.kind === "create" ? command.fork?.source : world.sourceOf(command.name);
    world.isHeld = true;
    const answer = this.apply(command).catch(lostOnly);
    await settled();
    // What a deletion leaves to be done is part of it.
    const firing = command.kind === "remove" ? world.fireAlarm(command.name).catch(lostOnly) : undefined;
    await settled();
    for (let step = 0; step < steps && world.heldCount > 0; step += 1) await world.release(0, "arrives");
    await befall(world, mishap, { it: command.name, source });
    await world.releaseAll();
    const observed = await answer;
    await firing;
    await world.fireAllAlarms(endMs);
    world.nowMs = endMs;
    return observed;
  }

  async #append(append: Append): Promise<Observed> {
    const command = appendCommand(append);
    return observeAppend(append, await this.world.ask(append.name, (stream) => stream.append(command)));
  }

  #read(name: string, offset: string, etag: string | undefined): Observed {
    const from = parseOffset(offset);
    if (from === undefined) throw new Error(`${offset} is not an offset.`);
    return this.#readFrom(name, from, etag);
  }

  #readFrom(name: string, from: OffsetRef, etag: string | undefined): Observed {
    const result = this.world.stream(name).read({ from, ifNoneMatch: etag ?? null, paging: "bytes" });
    if (!result.ok) return refused(result.problem);
    const status = { closed: result.closed, offset: offsetAt(result.lineage, result.to) };
    const tag = from.kind === "now" ? {} : { etag: result.etag };
    if (result.notModified) return { outcome: "not-modified", ...status, ...tag };
    const stored = this.#wholeRange(result, from.kind === "at");
    if (!stored.ok) return refused(stored.problem);
    if ("boundary" in stored && isGuess(stored.boundary, result.from)) return refused(refuseForeign().problem);
    if ("boundary" in stored) return this.#readFrom(name, refAt(result.lineage, stored.boundary), etag);
    const framing = framingOf(result.contentType);
    const body = stored.page.length === 0 ? (emptyBody(framing) ?? "") : toBody(stored.page, framing, true, true);
    const text = typeof body === "string" ? body : contentText(framing, body);
    return { outcome: "read", text, ...status, ...tag };
  }

  /** As the edge does it: from whoever has it, and the owner of an exact place knows where its append begins. */
  #wholeRange(
    { stretches, from, to, ...first }: ReadResult,
    isExact: boolean,
  ): Result<{ page: Bytes } | { boundary: number }> {
    const cold = isExact ? (this.world.coldBoundary(first) ?? from) : from;
    if (cold !== from) return { ok: true, boundary: cold };
    const page = this.world.bytesOf(first);
    const chunks: Bytes[] = [page];
    const check = isExact && page.length === 0 ? ({ checkFrom: true, align: true } as const) : {};
    for (let at = from + page.length; at < to; at += chunks.at(-1)?.length ?? 0) {
      const { name, ...range } = stretches.find((stretch) => at < stretch.to) as Stretch;
      const more = this.world.stream(name).page({ ...range, from: at, paging: "bytes", ...(at === from ? check : {}) });
      if (!more.ok) return more;
      const boundary = isExact && at === from ? (more.boundary ?? this.world.coldBoundary(more) ?? at) : at;
      if (boundary !== at) return { ok: true, boundary };
      const bytes = this.world.bytesOf(more);
      if (bytes.length === 0) throw new Error(`${name} has a hole at ${at}.`);
      chunks.push(bytes);
    }
    return { ok: true, page: concatBytes(chunks) };
  }
}

function lostOnly(error: unknown): Observed {
  if (error instanceof Lost) return { outcome: "lost" };
  throw error;
}

/** Ids differ from each other, as those of the edge do; which they are changes nothing. */
let requests = 0;

const FOREVER = { kind: "forever" } as const;

function createCommand(create: Create): CreateCommand {
  const { mode, ttlSeconds, closed, fork, records } = create;
  const offset = fork?.offset === undefined ? null : (parseOffset(fork.offset) ?? null);
  return {
    contentType: mode === undefined ? null : CONTENT_TYPES[mode],
    lifetime: ttlSeconds === undefined ? FOREVER : { kind: "ttl", ttlSeconds },
    retention: KEEP_ALL,
    closed,
    bytes: mode === undefined || records.length === 0 ? new Uint8Array() : storedOf({ mode, records }),
    ...(fork === undefined ? {} : { fork: { source: fork.source, offset, subOffset: fork.subOffset } }),
  };
}

function appendCommand(append: Append): AppendCommand {
  const { close, producer, streamSeq, expected } = append;
  return {
    bytes: append.records.length === 0 ? new Uint8Array() : storedOf(append),
    contentType: CONTENT_TYPES[append.mode],
    close,
    attempt: `request ${(requests += 1)}`,
    ...(producer === undefined ? {} : { producer }),
    ...(expected === undefined ? {} : { expected: expected === "-1" ? "" : expected }),
    ...(streamSeq === undefined ? {} : { streamSeq }),
  };
}

function storedOf(content: Pick<Append, "mode" | "records">): Bytes {
  const stored = toStored(bodyOf(content), CONTENT_TYPES[content.mode], {
    jsonDepthMax: 1_000,
  });
  if (!stored.ok) throw new Error(stored.problem.detail);
  return stored.bytes;
}

function observeAppend(append: Append, result: Result<AppendResult>): Observed {
  if (!result.ok) return refused(result.problem);
  return {
    outcome: append.records.length === 0 ? "closed" : result.outcome,
    closed: result.closed,
    offset: offsetOf(result),
    ...(result.producer === undefined ? {} : { producer: result.producer }),
  };
}

function refused({ code, headers = {} }: Problem): Observed {
  const expected = headers[code === "producer-gap" ? HEADER.producerExpectedSeq : HEADER.producerEpoch];
  const offset = headers[HEADER.nextOffset];
  const streamSeq = headers[HEADER.seq];
  return {
    outcome: code,
    ...(streamSeq === undefined ? {} : { streamSeq }),
    ...(expected === undefined ? {} : { expected: Number(expected) }),
    ...(headers[HEADER.closed] === undefined ? {} : { closed: true }),
    ...(offset === undefined ? {} : { offset }),
  };
}

function offsetOf({ lineage, tail }: { lineage: Lineage; tail: number }): string {
  return offsetAt(lineage, tail);
}
