/** Keeps the order of pipelined requests: Node.js hands them over at once, and writes only their responses in order. */

import type { NodeRequest } from "./incoming-request.ts";

/** A request that has not ended. It is kept as long as a live read lasts, so it is small. */
interface Turn {
  /** Serves the request that has arrived after it. */
  next: (() => void) | undefined;
}

/** The newest request of each connection, if it has not ended yet. */
const NEWEST = new WeakMap<object, Turn>();

/**
 * Serves a request after the ones before it on its connection, because a server may serve only requests with safe methods at
 * the same time [RFC 9112 §9.3.2]. The streams of a connection over HTTP/2 have no order.
 * @param work serves the request, and calls `end` when that is done. Calling it again has no effect.
 */
export function inOrder({ httpVersionMajor, socket }: NodeRequest, work: (end: () => void) => void): void {
  if (httpVersionMajor !== 1) return work(() => undefined);
  const before = NEWEST.get(socket);
  const turn: Turn = { next: undefined };
  NEWEST.set(socket, turn);
  const end = (): void => {
    if (NEWEST.get(socket) === turn) NEWEST.delete(socket);
    const { next } = turn;
    turn.next = undefined;
    next?.();
  };
  if (before === undefined) work(end);
  else before.next = () => work(end);
}
