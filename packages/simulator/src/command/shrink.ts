/** Runs that are tried to find a smaller plan; each takes as long as a run does. */
const TRIES_MAX = 400;

export interface Shrunk<Failure> {
  readonly indexes: readonly number[];
  readonly failure: Failure;
}

/**
 * Leaves out as many steps of a failing plan as it can do without: halves first, then smaller parts, and in the end single
 * steps.
 * @param tryOut runs some of the steps, and returns how that failed, if it did.
 */
export async function shrink<Failure>(
  failing: Shrunk<Failure>,
  tryOut: (indexes: readonly number[]) => Promise<Failure | undefined>,
): Promise<Shrunk<Failure>> {
  let best = failing;
  let tries = 0;
  for (let size = Math.ceil(best.indexes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    let from = 0;
    while (from < best.indexes.length && best.indexes.length > 1 && tries < TRIES_MAX) {
      const fewer = best.indexes.toSpliced(from, size);
      tries += 1;
      const failure = fewer.length === 0 ? undefined : await tryOut(fewer);
      if (failure === undefined) from += size;
      else best = { indexes: fewer, failure };
    }
  }
  return best;
}
