/**
 * The object's answer to `attachRequest`: 101 with a hibernating socket for a reader that is at the tail, otherwise no socket.
 */

import type { ReaderAdmission } from "@durable-streams-cloudflare/core/contracts/reader-slots";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { lineageAtBase } from "@durable-streams-cloudflare/protocol";

import {
  admissionFromAttachUrl,
  ATTACH_HEADER,
  encodeAttachHeader,
  offsetFromAttachUrl,
  toSentAnswer,
  type AttachAnswer,
} from "./attach-request.ts";

/**
 * Answers an attach request.
 * @param accept hands the socket to the runtime, which keeps it while the object hibernates, with its tags.
 */
export function attachResponse(
  url: string,
  stream: Stream,
  accept: (socket: WebSocket, tags: string[]) => void,
): Response | Promise<Response> {
  const admission = admissionFromAttachUrl(url);
  const { budget, isLimited } = admission;
  const attach = (): Response =>
    respond(stream.attach(offsetFromAttachUrl(url), admission), (socket) => accept(socket, tagsOf(admission)));
  return isLimited ? stream.readerSlots[budget].letIn(attach) : attach();
}

/** By these, `LiveReaders` asks for sockets. */
function tagsOf({ budget, takesRanges }: ReaderAdmission): string[] {
  return takesRanges === true ? [budget, "ranges"] : [budget];
}

/** Synchronous: did anything happen before the object has the socket, the reader would miss a commit. */
function respond(answer: AttachAnswer, accept: (socket: WebSocket) => void): Response {
  if (!answer.ok || answer.status !== "live") return Response.json(toSentAnswer(answer));
  const { 0: client, 1: server } = new WebSocketPair();
  accept(server);
  server.serializeAttachment(answer.position);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { [ATTACH_HEADER]: encodeAttachHeader({ ...answer, lineage: lineageAtBase(answer.lineage) }) },
  });
}
