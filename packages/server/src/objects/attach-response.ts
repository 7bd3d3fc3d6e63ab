/** The answer to `attachRequest`: 101 with a hibernating socket for a reader that stands at the tail, otherwise only words. */

import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { lineageAtBase } from "@durable-streams-cloudflare/protocol";

import {
  ATTACH_HEADER,
  encodeAttachHeader,
  isLimitedAttach,
  offsetFromAttachUrl,
  type AttachAnswer,
} from "./attach-request.ts";

/** @param accept has the object keep the socket while it sleeps. */
export function attachResponse(
  url: string,
  stream: Stream,
  accept: (socket: WebSocket) => void,
): Response | Promise<Response> {
  const isLimited = isLimitedAttach(url);
  const attach = (): Response => respond(stream.attach(offsetFromAttachUrl(url), isLimited), accept);
  return isLimited ? stream.readerSlots.letIn(attach) : attach();
}

/** Synchronous: did anything happen before the object has the socket, the reader would miss a commit. */
function respond(answer: AttachAnswer, accept: (socket: WebSocket) => void): Response {
  if (!answer.ok || answer.status !== "live") return Response.json(answer);
  const { 0: client, 1: server } = new WebSocketPair();
  accept(server);
  server.serializeAttachment(answer.position);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { [ATTACH_HEADER]: encodeAttachHeader({ ...answer, lineage: lineageAtBase(answer.lineage) }) },
  });
}
