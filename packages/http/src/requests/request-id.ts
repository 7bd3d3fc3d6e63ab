/** Makes the ids of requests that the edge may have to send to an object more than once. */

/** Random, of this isolate; made late, because nothing random can be had while a Worker starts. */
let isolateId: string | undefined;
let count = 0;

/** Unique among the requests of a few seconds, from all isolates. A random one each would take longer. */
export function newRequestId(): string {
  isolateId ??= crypto.randomUUID().slice(0, 13);
  count += 1;
  return `${isolateId}-${count.toString(36)}`;
}
