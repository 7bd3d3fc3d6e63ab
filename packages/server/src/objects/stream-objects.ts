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
 * Every call goes through `retryRpc`, which marks a copy as one, so the runtime is not to retry below it: five
 * tries of each would be twenty-five.
 */
const NO_RETRIES = { retry: { maxRetries: 0 } };

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
    getByName: (name) => namespace.getByName(name, NO_RETRIES),
    idOf,
    async attach(name, from, admission) {
      const response = await namespace.getByName(name, NO_RETRIES).fetch(attachRequest(from, admission));
      const socket = response.webSocket;
      const answer = socket
        ? decodeAttachHeader(response.headers.get(ATTACH_HEADER) ?? "")
        : fromSentAnswer(await response.json<SentAttachAnswer>());
      if (!answer.ok) return answer;
      return { ok: true, result: answer, channel: socket ? new SocketChannel(socket) : undefined };
    },
  };
}
