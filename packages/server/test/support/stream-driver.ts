import {
  framingOf,
  HEADER,
  offsetAt,
  parseOffset,
  type Lineage,
  type Problem,
  type Result,
} from "@durable-streams-cloudflare/protocol";
import {
  concatBytes,
  RESTART_MS,
  type Append,
  type Command,
  type Driver,
  type Observed,
} from "@durable-streams-cloudflare/testkit";

import { emptyBody, toBody, toStored } from "../../src/http/codec/payload.ts";
import type { AppendCommand, AppendFacts } from "../../src/stream/commands.ts";
import type { Stream } from "../../src/stream/stream.ts";
import { bodyOf, CONTENT_TYPES, contentText } from "./content.ts";
import { newHost, START_MS, streamOn, type Host } from "./stream-fixture.ts";

/** Drives a `Stream` on SQLite of Node.js; a restart forgets everything but the database. */
export class StreamDriver implements Driver {
  readonly startMs = START_MS;
  readonly #host: Host = newHost();
  #stream: Stream = streamOn(this.#host);

  async apply(command: Command): Promise<Observed> {
    switch (command.kind) {
      case "create": {
        const { mode, ttlSeconds, closed } = command;
        const lifetime = ttlSeconds === undefined ? FOREVER : ({ kind: "ttl", ttlSeconds } as const);
        const bytes = command.records.length === 0 ? new Uint8Array() : storedOf(command);
        const facts = await this.#stream.create({ contentType: CONTENT_TYPES[mode], lifetime, closed, bytes });
        return facts.ok
          ? { outcome: facts.created ? "created" : "exists", closed: facts.closed, offset: offsetOf(facts) }
          : refused(facts.problem);
      }
      case "append":
        return observeAppend(command, await this.#stream.append(appendCommand(command)));
      case "read":
        return this.#read(command.offset);
      case "head": {
        const facts = this.#stream.head();
        if (!facts.ok) return refused(facts.problem);
        return { outcome: "head", closed: facts.closed, offset: offsetOf(facts) };
      }
      case "remove": {
        const facts = await this.#stream.remove();
        return facts.ok ? { outcome: "removed" } : refused(facts.problem);
      }
      case "advance":
        this.#host.nowMs += command.ms;
        return { outcome: "done" };
      case "alarm":
        await this.#stream.alarm();
        return { outcome: "done" };
      case "restart":
        this.#host.nowMs += RESTART_MS;
        this.#stream = streamOn(this.#host);
        return { outcome: "done" };
    }
  }

  /** Those after the first share a commit. */
  async applyTogether(appends: readonly Append[]): Promise<Observed[]> {
    const results = await Promise.all(appends.map((append) => this.#stream.append(appendCommand(append))));
    return results.flatMap((result, index) => {
      const append = appends[index];
      return append === undefined ? [] : [observeAppend(append, result)];
    });
  }

  #read(offset: string): Observed {
    const from = parseOffset(offset);
    if (from === undefined) throw new Error(`${offset} is no offset.`);
    const facts = this.#stream.read({ from, ifNoneMatch: null, paging: "bytes" });
    if (!facts.ok) return refused(facts.problem);
    const pieces = [facts.page];
    for (let at = facts.from + facts.page.length; at < facts.to; at += pieces.at(-1)?.length ?? 0) {
      const { incarnation } = facts.lineage;
      const page = this.#stream.page({ incarnation, from: at, to: facts.to, paging: "bytes" });
      if (!page.ok) return refused(page.problem);
      pieces.push(page.page);
    }
    const framing = framingOf(facts.contentType);
    const stored = concatBytes(pieces);
    const body = stored.length === 0 ? (emptyBody(framing) ?? "") : toBody(stored, framing, true, true);
    const text = typeof body === "string" ? body : contentText(framing, body);
    return { outcome: "read", text, closed: facts.closed, offset: offsetAt(facts.lineage, facts.to) };
  }
}

const FOREVER = { kind: "forever" } as const;

function appendCommand(append: Append): AppendCommand {
  const { close, producer, streamSeq } = append;
  return {
    bytes: append.records.length === 0 ? new Uint8Array() : storedOf(append),
    contentType: CONTENT_TYPES[append.mode],
    close,
    ...(producer === undefined ? { attempt: crypto.randomUUID() } : { producer }),
    ...(streamSeq === undefined ? {} : { streamSeq }),
  };
}

function storedOf(content: Pick<Append, "mode" | "records">): Uint8Array<ArrayBuffer> {
  const stored = toStored(bodyOf(content), CONTENT_TYPES[content.mode]);
  if (!stored.ok) throw new Error(stored.problem.detail);
  return stored.bytes;
}

function observeAppend(append: Append, facts: Result<AppendFacts>): Observed {
  if (!facts.ok) return refused(facts.problem);
  return {
    outcome: append.records.length === 0 ? "closed" : facts.outcome,
    closed: facts.closed,
    offset: offsetOf(facts),
    ...(facts.producer === undefined ? {} : { producer: facts.producer }),
  };
}

function refused({ code, headers = {} }: Problem): Observed {
  const expected = headers[code === "producer-gap" ? HEADER.producerExpectedSeq : HEADER.producerEpoch];
  const offset = headers[HEADER.nextOffset];
  return {
    outcome: code,
    ...(expected === undefined ? {} : { expected: Number(expected) }),
    ...(headers[HEADER.closed] === undefined ? {} : { closed: true }),
    ...(offset === undefined ? {} : { offset }),
  };
}

function offsetOf({ lineage, tail }: { lineage: Lineage; tail: number }): string {
  return offsetAt(lineage, tail);
}
