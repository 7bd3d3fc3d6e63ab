import { setTimeout } from "node:timers/promises";

/** A `fetch` for the client's `fetch` option that counts. */
export interface CountingFetch {
  readonly fetch: typeof globalThis.fetch;
  /** Requests sent so far. */
  requests(): number;
  /** The most requests that waited for their answers at one time. */
  peak(): number;
}

/** @param send what carries a request out. */
export function countingFetch(send: typeof globalThis.fetch = globalThis.fetch): CountingFetch {
  let requests = 0;
  let open = 0;
  let peak = 0;
  return {
    requests: () => requests,
    peak: () => peak,
    fetch: async (input, init) => {
      requests += 1;
      open += 1;
      peak = Math.max(peak, open);
      try {
        return await send(input, init);
      } finally {
        open -= 1;
      }
    },
  };
}

/** Sends each request twice at once, as a network does that repeats what it thinks was lost. */
export const fetchTwice: typeof globalThis.fetch = async (input, init) => {
  const [first, second] = await Promise.all([fetch(input, init), fetch(input, init)]);
  await second.arrayBuffer();
  return first;
};

/** Requests overtake each other on the way, as on connections of different speed. */
export const fetchShuffled: typeof globalThis.fetch = async (input, init) => {
  await setTimeout(Math.random() * 20);
  return fetch(input, init);
};
