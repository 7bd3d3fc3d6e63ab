/** The edge's hold on one stream's object. */

import type { OffsetRef, Result } from "@durable-streams-cloudflare/protocol";

import type { ProjectLimits } from "../project/record.ts";
import { callAgain } from "../rpc/call-again.ts";
import { ATTACH_HEADER, attachRequest, decodeAttachHeader, type AttachAnswer } from "../stream/attach-request.ts";
import type { AttachFacts, StreamApi } from "../stream/commands.ts";
import type { StreamDO } from "../stream/object.ts";

type Stub = StreamApi & { fetch(request: Request): Promise<Response> };

export type Attachment = Result<{ readonly facts: AttachFacts; readonly socket: WebSocket | undefined }>;

export class StreamClient {
  readonly #namespace: DurableObjectNamespace<StreamDO>;
  readonly objectName: string;
  /** Milliseconds spent waiting for the object. */
  objectMs = 0;
  /** Calls whose answer was lost, and that were made again. */
  lostAnswers = 0;

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
      return await callAgain(
        () => invoke(this.#namespace.getByName(this.objectName)),
        () => (this.lostAnswers += 1),
      );
    } finally {
      this.objectMs += performance.now() - startedAt;
    }
  }

  /**
   * Asks for a live reader's socket. It must be accepted before it delivers.
   * @param limits of the project.
   */
  attach(from: OffsetRef, limits: ProjectLimits | undefined): Promise<Attachment> {
    const isLimited = (limits?.liveReaders ?? null) !== null;
    return this.call(async (stub): Promise<Attachment> => {
      const response = await stub.fetch(attachRequest(from, isLimited));
      const socket = response.webSocket ?? undefined;
      const answer =
        socket === undefined
          ? await response.json<AttachAnswer>()
          : decodeAttachHeader(response.headers.get(ATTACH_HEADER) ?? "");
      return answer.ok ? { ok: true, facts: answer, socket } : answer;
    });
  }
}
