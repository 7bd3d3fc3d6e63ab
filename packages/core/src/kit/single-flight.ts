/**
 * Single flight: concurrent calls with the same key share one run of the work and its result, failures included. A call that
 * arrives after the run starts a new one, so this is not a cache.
 *
 * It is only for callers of one object or one request. Requests of a Worker cannot wait for each other's I/O: what they share
 * (`http/src/client/shared-reads.ts`, `append-batcher.ts`, `auth/jwks.ts`) is done in other ways.
 */
export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>();
  readonly #flightsMax: number;

  /** @param flightsMax most keys that are remembered: what comes beyond that runs by itself. */
  constructor(flightsMax: number) {
    this.#flightsMax = flightsMax;
  }

  /** Work that nobody is at begins in this turn. */
  run(key: string, work: () => Promise<Value>): Promise<Value> {
    const known = this.#flights.get(key);
    if (known !== undefined) return known;
    const flight = begin(work);
    if (this.#flights.size >= this.#flightsMax) return flight;
    this.#flights.set(key, flight);
    const land = (): void => void this.#flights.delete(key);
    flight.then(land, land);
    return flight;
  }
}

/** What is thrown at once is a rejection, too. */
async function begin<Value>(work: () => Promise<Value>): Promise<Value> {
  return work();
}
