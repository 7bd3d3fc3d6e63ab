/** Keeps the order of pipelined requests: Node.js hands them over at once, and writes only their responses in order. */

import type { NodeRequest } from "./incoming-request.ts";

/** The last request of each connection that is not answered yet. */
const LAST = new WeakMap<object, Promise<void>>();

/**
 * Serves a request after the ones before it on its connection, because a server may serve only requests with safe methods at
 * the same time [RFC 9112 §9.3.2]. The streams of a connection over HTTP/2 have no order.
 * @param work serves the request. It must not reject.
 */
export function inOrder({ httpVersionMajor, socket }: NodeRequest, work: () => Promise<void>): Promise<void> {
  if (httpVersionMajor !== 1) return work();
  const before = LAST.get(socket);
  const served = before === undefined ? work() : before.then(work);
  LAST.set(socket, served);
  return served.then(() => {
    if (LAST.get(socket) === served) LAST.delete(socket);
  });
}
