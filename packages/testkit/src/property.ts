import fc from "fast-check";

/**
 * Runs a property with a seed that it prints. `FC_SEED` repeats a run; `FC_RUNS` replaces the number of runs.
 * @param runs how many runs are affordable in every test run.
 */
export async function assertProperty<Values extends unknown[]>(
  name: string,
  property: fc.IAsyncProperty<Values> | fc.IProperty<Values>,
  runs: number,
): Promise<void> {
  const seed = numberOf("FC_SEED") ?? Math.floor(Math.random() * 2 ** 31);
  const numRuns = numberOf("FC_RUNS") ?? runs;
  // oxlint-disable-next-line no-console -- the seed of every run, not only of a failed one
  console.log(`${name}: FC_SEED=${seed} FC_RUNS=${numRuns}`);
  await fc.assert(property as fc.IAsyncProperty<Values>, { seed, numRuns });
}

/** `process` is not typed everywhere this runs. */
declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

function numberOf(name: string): number | undefined {
  const text = process.env[name];
  return text === undefined || text === "" ? undefined : Number(text);
}
