/** The edge's hold on one stream's object. */

import type { Lineage, OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { ProjectLimits } from "../project/record.ts";
import { refuseToken } from "../project/token.ts";
import { callAgain, type CallOptions } from "../rpc/call-again.ts";
import { ATTACH_HEADER, attachRequest, decodeAttachHeader, type AttachAnswer } from "../stream/attach-request.ts";
import type { AttachFacts, StreamApi } from "../stream/commands.ts";
import type { StreamDO } from "../stream/object.ts";

type Stub = StreamApi & { fetch(request: Request): Promise<Response> };

export type Attachment = Result<{ readonly facts: AttachFacts; readonly socket: WebSocket | undefined }>;

export class StreamClient {
  readonly #namespace: DurableObjectNamespace<StreamDO>;
  readonly incarnation: number | undefined;
  readonly objectName: string;
  /** Milliseconds spent waiting for the object. */
  objectMs = 0;

  /** @param incarnation the one life of the stream that the client may read; otherwise any. */
  constructor(namespace: DurableObjectNamespace<StreamDO>, objectName: string, incarnation?: number) {
    this.incarnation = incarnation;
    this.#namespace = namespace;
    this.objectName = objectName;
  }

  /** The client of another stream, one that a fork's bytes lie in. */
  of(objectName: string): StreamClient {
    return objectName === this.objectName ? this : new StreamClient(this.#namespace, objectName);
  }

  /** Calls the object; a stub that failed is of no more use, so each try gets a new one. */
  async call<Facts>(
    invoke: (stub: Stub, repeatedAfterMs?: number) => Promise<Result<Facts>>,
    options?: CallOptions,
  ): Promise<Result<Facts>> {
    const startedAt = performance.now();
    try {
      const result = await callAgain(
        (repeatedAfterMs) => invoke(this.#namespace.getByName(this.objectName), repeatedAfterMs),
        options,
      );
      return this.#isOfAnotherLife(result) ? refuseToken() : result;
    } finally {
      this.objectMs += performance.now() - startedAt;
    }
  }

  /**
   * Asks for a live reader's socket. It must be accepted before it delivers.
   * @param limits of the project.
   */
  async attach(from: OffsetRef, limits: ProjectLimits | undefined): Promise<Attachment> {
    const isLimited = (limits?.liveReaders ?? null) !== null;
    const attached = await this.call(async (stub): Promise<Attachment> => {
      const response = await stub.fetch(attachRequest(from, isLimited));
      const socket = response.webSocket ?? undefined;
      const answer =
        socket === undefined
          ? await response.json<AttachAnswer>()
          : decodeAttachHeader(response.headers.get(ATTACH_HEADER) ?? "");
      return answer.ok ? { ok: true, facts: answer, socket } : answer;
    });
    if (!attached.ok || !this.#isOfAnotherLife(attached.facts)) return attached;
    attached.socket?.accept();
    attached.socket?.close(1000, "done");
    return refuseToken();
  }

  /** Every answer about a stream that a reader gets to see says whose life it is about. */
  #isOfAnotherLife(facts: object): boolean {
    if (this.incarnation === undefined || !("lineage" in facts)) return false;
    return (facts.lineage as Lineage).incarnation !== this.incarnation;
  }
}
