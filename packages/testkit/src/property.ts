import fc from "fast-check";

/**
 * Runs a property with a seed that it prints, and that any failure repeats: of a run, of what all runs together must reach, or
 * of a promise that nobody waits for. `FC_SEED` repeats a run; `FC_RUNS` replaces the number of runs, and
 * `FC_FRACTION` makes fewer of them.
 * @param runs how many runs are affordable in every test run.
 * @param expectReached throws when the runs have not reached what they are made for; not asked when `FC_RUNS` asks for fewer.
 */
export async function assertProperty<Values extends unknown[]>(
  name: string,
  property: fc.IAsyncProperty<Values> | fc.IProperty<Values>,
  runs: number,
  expectReached: () => void = () => undefined,
): Promise<void> {
  const seed = numberOf("FC_SEED") ?? Math.floor(Math.random() * 2 ** 31);
  const numRuns = numberOf("FC_RUNS") ?? Math.ceil(runs * (numberOf("FC_FRACTION") ?? 1));
  // oxlint-disable-next-line no-console -- the seed of every run, not only of a failed one
  console.log(`${name}: FC_SEED=${seed} FC_RUNS=${numRuns}`);
  const strays: unknown[] = [];
  const note = (error: unknown): void => void strays.push(error);
  process.on?.("unhandledRejection", note);
  try {
    await fc.assert(property as fc.IAsyncProperty<Values>, { seed, numRuns });
    if (strays.length > 0) throw strays[0];
    if (numRuns >= runs) expectReached();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${name}: to repeat this, set FC_SEED=${seed} FC_RUNS=${numRuns}\n${message}`, { cause: error });
  } finally {
    process.off?.("unhandledRejection", note);
  }
}

/** `process` is not typed everywhere this runs, and workerd has less of it. */
declare const process: {
  readonly env: Readonly<Record<string, string | undefined>>;
  on?(event: "unhandledRejection", listener: (error: unknown) => void): void;
  off?(event: "unhandledRejection", listener: (error: unknown) => void): void;
};

function numberOf(name: string): number | undefined {
  const text = process.env[name];
  return text === undefined || text === "" ? undefined : Number(text);
}
