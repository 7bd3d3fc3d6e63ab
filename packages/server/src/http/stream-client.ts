/**
 * The edge's hold on one stream's object. A call whose answer is lost (a deploy, a restart, an overloaded machine) is
 * made again here, because clients cannot do it safely: every command is safe to repeat by its producer, its attempt
 * or its nature.
 */

import { refuse, type OffsetRef, type Refusal, type Result } from "@durable-streams-cloudflare/protocol";

import { ATTACH_HEADER, attachRequest, decodeAttachHeader, type AttachAnswer } from "../stream/attach-request.ts";
import type { AttachFacts, StreamApi } from "../stream/commands.ts";
import type { StreamDO } from "../stream/object.ts";

const TRIES = 5;
const FIRST_DELAY_MS = 20;

type Stub = StreamApi & { fetch(request: Request): Promise<Response> };

export type Attachment = Result<{ readonly facts: AttachFacts; readonly socket: WebSocket | undefined }>;

export class StreamClient {
  readonly #namespace: DurableObjectNamespace<StreamDO>;
  readonly objectName: string;
  /** Milliseconds spent waiting for the object. */
  objectMs = 0;
  /** Tries whose answer was lost. */
  failedTries = 0;

  constructor(namespace: DurableObjectNamespace<StreamDO>, objectName: string) {
    this.#namespace = namespace;
    this.objectName = objectName;
  }

  /** The client of another stream, one that a fork's bytes lie in. */
  of(objectName: string): StreamClient {
    return objectName === this.objectName ? this : new StreamClient(this.#namespace, objectName);
  }

  /** Calls the object; a stub that failed is of no more use, so each try gets a new one. */
  async call<Facts>(invoke: (stub: Stub) => Promise<Result<Facts>>): Promise<Result<Facts>> {
    const startedAt = performance.now();
    try {
      return await this.#withTries(invoke);
    } finally {
      this.objectMs += performance.now() - startedAt;
    }
  }

  /** Asks for a live reader's socket. It must be accepted before it delivers. */
  attach(from: OffsetRef): Promise<Attachment> {
    return this.call(async (stub): Promise<Attachment> => {
      const response = await stub.fetch(attachRequest(from));
      const socket = response.webSocket ?? undefined;
      const answer =
        socket === undefined
          ? await response.json<AttachAnswer>()
          : decodeAttachHeader(response.headers.get(ATTACH_HEADER) ?? "");
      return answer.ok ? { ok: true, facts: answer, socket } : answer;
    });
  }

  async #withTries<Facts>(invoke: (stub: Stub) => Promise<Result<Facts>>): Promise<Result<Facts>> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await invoke(this.#namespace.getByName(this.objectName));
      } catch (error) {
        if (isOverloaded(error)) return refuseOverloaded();
        if (!isTransient(error)) throw error;
        this.failedTries += 1;
        if (tries === TRIES) return refuseUnavailable();
        await scheduler.wait(FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random()));
      }
    }
  }
}

/** The runtime's marks on errors of its own; an error that our object threw has `remote` and neither of the others. */
function isTransient(error: unknown): boolean {
  return hasMark(error, "retryable") || hasMark(error, "durableObjectReset");
}

function isOverloaded(error: unknown): boolean {
  return hasMark(error, "overloaded");
}

function hasMark(error: unknown, mark: string): boolean {
  return typeof error === "object" && error !== null && (error as Record<string, unknown>)[mark] === true;
}

function refuseOverloaded(): Refusal {
  return refuse("overloaded", "The stream's object has too many requests waiting.", { headers: RETRY_SOON });
}

function refuseUnavailable(): Refusal {
  return refuse("unavailable", `The stream's object did not answer in ${TRIES} tries.`, { headers: RETRY_SOON });
}

const RETRY_SOON = { "Retry-After": "1" };
