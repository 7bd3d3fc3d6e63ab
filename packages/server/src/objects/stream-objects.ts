/** How the edge calls streams: by RPC, and by an upgrade for a live reader's socket. */

import type { StreamObjects } from "@durable-streams-cloudflare/http/ports";

import {
  ATTACH_HEADER,
  attachRequest,
  decodeAttachHeader,
  fromSentAnswer,
  type SentAttachAnswer,
} from "./attach-request.ts";
import { SocketChannel } from "./reader-channel.ts";
import type { StreamDO } from "./stream-do.ts";

/**
 * Makes the edge's `StreamObjects` from a namespace.
 * @param idOf returns the runtime's id of an object.
 */
export function streamObjects(
  namespace: Pick<DurableObjectNamespace<StreamDO>, "getByName">,
  idOf: (name: string) => string,
  removeDamaged?: (name: string) => Promise<boolean>,
): StreamObjects {
  return {
    ...(removeDamaged === undefined ? {} : { removeDamaged }),
    getByName: (name) => namespace.getByName(name),
    idOf,
    async attach(name, from, admission) {
      const response = await namespace.getByName(name).fetch(attachRequest(from, admission));
      const socket = response.webSocket;
      const answer = socket
        ? decodeAttachHeader(response.headers.get(ATTACH_HEADER) ?? "")
        : fromSentAnswer(await response.json<SentAttachAnswer>());
      if (!answer.ok) return answer;
      return { ok: true, result: answer, channel: socket ? new SocketChannel(socket) : undefined };
    },
  };
}
