import { RESTART_MS, type Append, type Command, type Driver, type Observed } from "@durable-streams-cloudflare/testkit";
import { runDurableObjectAlarm } from "cloudflare:test";
import { vi } from "vitest";

import { bodyOf, CONTENT_TYPES, contentText } from "../support/content.ts";
import { evict, newEdge, type Edge } from "./edge.ts";

/** Drives a stream over HTTP; a restart evicts its object. The clock must be a fake one. */
export class HttpDriver implements Driver {
  readonly #edge: Edge = newEdge();

  async apply(command: Command): Promise<Observed> {
    switch (command.kind) {
      case "create":
        return this.#create(command);
      case "append":
        return this.#append(command);
      case "read":
        return this.#read(command.offset);
      case "head": {
        const response = await this.#edge.fetch("", { method: "HEAD" });
        if (response.status === 404) return { outcome: "stream-not-found" };
        return { outcome: "head", ...standing(response) };
      }
      case "remove": {
        const response = await this.#edge.fetch("", { method: "DELETE" });
        return response.ok ? { outcome: "removed" } : refused(response);
      }
      case "advance":
        vi.setSystemTime(Date.now() + command.ms);
        return { outcome: "done" };
      case "alarm":
        await runDurableObjectAlarm(this.#edge.stub());
        return { outcome: "done" };
      case "restart":
        vi.setSystemTime(Date.now() + RESTART_MS);
        await evict(this.#edge);
        return { outcome: "done" };
    }
  }

  async #create(create: Extract<Command, { kind: "create" }>): Promise<Observed> {
    const { mode, ttlSeconds, closed, records } = create;
    const headers = {
      "Content-Type": CONTENT_TYPES[mode],
      ...(ttlSeconds === undefined ? {} : { "Stream-TTL": String(ttlSeconds) }),
      ...(closed ? { "Stream-Closed": "true" } : {}),
    };
    const body = records.length === 0 ? null : bodyOf(create);
    const response = await this.#edge.fetch("", { method: "PUT", headers, body });
    if (!response.ok) return refused(response);
    return { outcome: response.status === 201 ? "created" : "exists", ...standing(response) };
  }

  async #append(append: Append): Promise<Observed> {
    const { mode, records, close, producer, streamSeq } = append;
    const headers = {
      "Content-Type": CONTENT_TYPES[mode],
      ...(close ? { "Stream-Closed": "true" } : {}),
      ...(streamSeq === undefined ? {} : { "Stream-Seq": streamSeq }),
      ...(producer === undefined
        ? {}
        : {
            "Producer-Id": producer.id,
            "Producer-Epoch": String(producer.epoch),
            "Producer-Seq": String(producer.seq),
          }),
    };
    const body = records.length === 0 ? null : bodyOf(append);
    const response = await this.#edge.fetch("", { method: "POST", headers, body });
    if (!response.ok) return refused(response);
    const isDuplicate = producer !== undefined && response.status === 204;
    const outcome = records.length === 0 ? "closed" : isDuplicate ? "duplicate" : "appended";
    const epoch = response.headers.get("Producer-Epoch");
    const seq = Number(response.headers.get("Producer-Seq"));
    return { outcome, ...standing(response), ...(epoch === null ? {} : { producer: { epoch: Number(epoch), seq } }) };
  }

  async #read(offset: string): Promise<Observed> {
    const response = await this.#edge.fetch(`?offset=${offset}`);
    if (!response.ok) return refused(response);
    const mode = response.headers.get("Content-Type") === CONTENT_TYPES.json ? "json" : "bytes";
    const text = contentText(mode, new Uint8Array(await response.arrayBuffer()));
    return { outcome: "read", text, ...standing(response) };
  }
}

function standing({ headers }: Response): Pick<Observed, "closed" | "offset"> {
  const offset = headers.get("Stream-Next-Offset");
  return { closed: headers.get("Stream-Closed") === "true", ...(offset === null ? {} : { offset }) };
}

async function refused(response: Response): Promise<Observed> {
  const { code } = await response.json<{ code: string }>();
  const { headers } = response;
  const expected = headers.get(code === "producer-gap" ? "Producer-Expected-Seq" : "Producer-Epoch");
  const isTold = code === "producer-gap" || code === "producer-epoch-stale";
  return {
    outcome: code,
    ...(isTold && expected !== null ? { expected: Number(expected) } : {}),
    ...(code === "stream-closed" ? standing(response) : {}),
  };
}
