/** How a fork's object calls the object of its source. */

import type { PeerApi } from "../../contracts/stream.ts";
import { detach } from "../../kit/detach.ts";
import { retryRpc } from "../../kit/retry-rpc.ts";

/**
 * Wraps the stubs of an object: a stub that failed is of no more use, so `stubOf` makes a new one for each try. Answers
 * are copied, because an answer of RPC that is passed on would keep its call open, and the object in memory with it.
 *
 * Only a page is asked for again. A pin is asked for once per fork id: were it repeated, a refusal of the second would
 * not mean that the first had not been made, and nobody would release it. A release is repeated by the alarm.
 */
export function peerOf(stubOf: () => PeerApi): PeerApi {
  return {
    page: async (command) => detach(await retryRpc(() => stubOf().page(command))),
    pin: async (command) => detach(await stubOf().pin(command)),
    release: (forkId) => stubOf().release(forkId),
  };
}
