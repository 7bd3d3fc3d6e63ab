/**
 * On one machine all objects and the edge share a thread, and workerd looks at its sockets only when nothing is ready any more.
 * A timer that is due by then rings without that, and so does the next one if something else has woken the thread. By the
 * system calls of workerd 1.20261102.1 with appends and an upload going on: after one timer it had looked in two cases of five,
 * after two in two of three, after three in nineteen of twenty.
 */
const TIMERS = 3;

/**
 * Resolves when the runtime has seen to the requests that have come meanwhile, some milliseconds later. Whatever takes long
 * and is not what a client waits for does a little, and then waits for this.
 */
export async function nextTurn(): Promise<void> {
  for (let timer = 0; timer < TIMERS; timer += 1) await new Promise<void>((resolve) => void setTimeout(resolve, 0));
}
