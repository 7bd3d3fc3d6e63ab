/** Makes the ids of requests that the edge may have to send to an object more than once. */

/** Random, of this isolate; made late, because nothing random can be had while a Worker starts. */
let isolateId: string | undefined;
let count = 0;

/**
 * Makes an id that is unique among the requests of all isolates within a few seconds. It is a random prefix and a counter,
 * which is faster than a random id per request.
 */
export function newRequestId(): string {
  isolateId ??= crypto.randomUUID().slice(0, 13);
  count += 1;
  return `${isolateId}-${count.toString(36)}`;
}
