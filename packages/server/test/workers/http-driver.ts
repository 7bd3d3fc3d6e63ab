import {
  RESTART_MS,
  type Append,
  type Command,
  type Driver,
  type Observed,
} from "@durable-streams-cloudflare/simulator/model/commands";
import { bodyOf, CONTENT_TYPES, contentText } from "@durable-streams-cloudflare/simulator/model/content";
import { runDurableObjectAlarm } from "cloudflare:test";
import { vi } from "vitest";

import { evict, inObject } from "./edge.ts";
import { Family, type Relative } from "./family.ts";

/** Drives the streams of one project over HTTP; a restart evicts an object. The clock must be a fake one. */
export class HttpDriver implements Driver {
  readonly readsAtMessages = true;
  readonly #family = new Family();
  readonly #streams = new Map<string, Relative>();

  async apply(command: Command): Promise<Observed> {
    if (command.kind === "advance") {
      vi.setSystemTime(Date.now() + command.ms);
      return { outcome: "done" };
    }
    const stream = this.#stream(command.name);
    switch (command.kind) {
      case "create":
        return this.#create(stream, command);
      case "append":
        return this.#append(stream, command);
      case "read":
        return this.#read(stream, command.offset, command.etag);
      case "head": {
        const response = await stream.fetch("", { method: "HEAD" });
        const refusal = REFUSED_HEADS[response.status];
        return refusal === undefined
          ? { outcome: "head", ...status(response), ...lastSeq(response) }
          : { outcome: refusal };
      }
      case "remove": {
        const response = await stream.fetch("", { method: "DELETE" });
        return response.ok ? { outcome: "removed" } : refused(response);
      }
      case "alarm":
        await runDurableObjectAlarm(stream.stub());
        return { outcome: "done" };
      case "restart":
        vi.setSystemTime(Date.now() + RESTART_MS);
        await evict(stream);
        return { outcome: "done" };
    }
  }

  /** Until nothing is left to do: an alarm that is due is rung, one that the runtime has rung itself is waited for. */
  async settle(): Promise<void> {
    for (const stream of this.#streams.values()) {
      const { isDue, isAtWork } = await inObject(stream, async (_, { storage }) => ({
        isDue: ((await storage.getAlarm()) ?? Infinity) <= Date.now(),
        isAtWork: hasDueReleases(storage.sql),
      }));
      if (!isDue && !isAtWork) continue;
      if (isDue) await runDurableObjectAlarm(stream.stub());
      else await scheduler.wait(1);
      return this.settle();
    }
  }

  #stream(name: string): Relative {
    const known = this.#streams.get(name) ?? this.#family.stream(name);
    this.#streams.set(name, known);
    return known;
  }

  async #create(stream: Relative, create: Extract<Command, { kind: "create" }>): Promise<Observed> {
    const { mode, ttlSeconds, closed, records, fork } = create;
    const headers = {
      ...(mode === undefined ? {} : { "Content-Type": CONTENT_TYPES[mode] }),
      ...(ttlSeconds === undefined ? {} : { "Stream-TTL": String(ttlSeconds) }),
      ...(closed ? { "Stream-Closed": "true" } : {}),
      ...(fork === undefined ? {} : { "Stream-Forked-From": this.#stream(fork.source).path }),
      ...(fork?.offset === undefined ? {} : { "Stream-Fork-Offset": fork.offset }),
      ...(fork === undefined || fork.subOffset === 0 ? {} : { "Stream-Fork-Sub-Offset": String(fork.subOffset) }),
    };
    const body = records.length === 0 || mode === undefined ? null : bodyOf({ mode, records });
    const response = await stream.fetch("", { method: "PUT", headers, body });
    if (!response.ok) return refused(response);
    return { outcome: response.status === 201 ? "created" : "exists", ...status(response) };
  }

  async #append(stream: Relative, append: Append): Promise<Observed> {
    const { mode, records, close, producer, streamSeq, expected } = append;
    const headers = {
      "Content-Type": CONTENT_TYPES[mode],
      ...(close ? { "Stream-Closed": "true" } : {}),
      ...(streamSeq === undefined ? {} : { "Stream-Seq": streamSeq }),
      ...(expected === undefined ? {} : { "Stream-Expected-Offset": expected }),
      ...(producer === undefined
        ? {}
        : {
            "Producer-Id": producer.id,
            "Producer-Epoch": String(producer.epoch),
            "Producer-Seq": String(producer.seq),
          }),
    };
    const body = records.length === 0 ? null : bodyOf(append);
    const response = await stream.fetch("", { method: "POST", headers, body });
    if (!response.ok) return refused(response);
    const isDuplicate = producer !== undefined && response.status === 204;
    const outcome = records.length === 0 ? "closed" : isDuplicate ? "duplicate" : "appended";
    const epoch = response.headers.get("Producer-Epoch");
    const seq = Number(response.headers.get("Producer-Seq"));
    return { outcome, ...status(response), ...(epoch === null ? {} : { producer: { epoch: Number(epoch), seq } }) };
  }

  async #read(stream: Relative, offset: string, etag: string | undefined): Promise<Observed> {
    const init = etag === undefined ? {} : { headers: { "If-None-Match": etag } };
    const response = await stream.fetch(`?offset=${offset}`, init);
    const tag = response.headers.get("ETag");
    const found = { ...status(response), ...(tag === null ? {} : { etag: tag }) };
    if (response.status === 304) return { outcome: "not-modified", ...found };
    if (!response.ok) return refused(response);
    const mode = response.headers.get("Content-Type") === CONTENT_TYPES.json ? "json" : "bytes";
    const text = contentText(mode, new Uint8Array(await response.arrayBuffer()));
    return { outcome: "read", text, ...found };
  }
}

/** An alarm is set anew before it works, so it does not look due while it does. */
function hasDueReleases(sql: SqlStorage): boolean {
  if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'debts'").toArray().length === 0) return false;
  return sql.exec("SELECT 1 FROM debts WHERE due_at_ms <= ? LIMIT 1", Date.now()).toArray().length > 0;
}

/** An answer to HEAD has no body that could name its problem. */
const REFUSED_HEADS: Readonly<Record<number, string>> = { 404: "stream-not-found", 410: "stream-deleted" };

function status({ headers }: Response): Pick<Observed, "closed" | "offset"> {
  const offset = headers.get("Stream-Next-Offset");
  return { closed: headers.get("Stream-Closed") === "true", ...(offset === null ? {} : { offset }) };
}

const TELLS_TAIL: ReadonlySet<string> = new Set(["stream-seq-regression", "expected-offset-mismatch"]);

function lastSeq({ headers }: Response): Pick<Observed, "streamSeq"> {
  const streamSeq = headers.get("Stream-Seq");
  return streamSeq === null ? {} : { streamSeq };
}

async function refused(response: Response): Promise<Observed> {
  const { code } = await response.json<{ code: string }>();
  const { headers } = response;
  const expected = headers.get(code === "producer-gap" ? "Producer-Expected-Seq" : "Producer-Epoch");
  const isTold = code === "producer-gap" || code === "producer-epoch-stale";
  return {
    outcome: code,
    ...(isTold && expected !== null ? { expected: Number(expected) } : {}),
    ...(code === "stream-closed" ? status(response) : {}),
    ...(TELLS_TAIL.has(code) ? { offset: headers.get("Stream-Next-Offset") ?? "none", ...lastSeq(response) } : {}),
  };
}
