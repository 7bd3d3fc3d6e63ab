/** What happened in a run, counted by what it was: the same plan gives the same counts. */
export type Outcome = Readonly<Record<string, number>>;

/** One kind of run: what is done to a world, and what must hold all the while. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** How many steps a run has unless it is asked for others. */
  readonly steps: number;
  /** The steps of a run: the same ones for the same seed. */
  plan(seed: number, steps: number): Plan;
}

export interface Plan {
  readonly length: number;
  /** A step, in words. */
  describe(index: number): string;
  /**
   * Takes some of the steps, in their order, in a new world.
   * @param indexes of the steps, ascending.
   * @param onStep is told the index of each step before it is taken.
   * @throws when something does not hold.
   */
  run(indexes: readonly number[], onStep: (index: number) => void): Promise<Outcome>;
}

/** What a scenario is made of. */
interface Parts<Step> extends Pick<Scenario, "name" | "about" | "steps"> {
  readonly stepsOf: (seed: number, steps: number) => readonly Step[];
  readonly run: (steps: readonly Step[], onStep: (nth: number) => void, seed: number) => Promise<Outcome>;
}

export function scenarioOf<Step>({ name, about, steps, stepsOf, run }: Parts<Step>): Scenario {
  return {
    name,
    about,
    steps,
    plan: (seed, count) => {
      const all = stepsOf(seed, count);
      return {
        length: all.length,
        describe: (index) => JSON.stringify(all[index]),
        run: async (indexes, onStep) => {
          const chosen = indexes.map((index) => all[index] as Step);
          return withoutLostErrors(() => run(chosen, (nth) => onStep(indexes[nth] ?? 0), seed));
        },
      };
    },
  };
}

/** Counts a world's calls by method, to tell whether two runs were the same. */
export function countCalls(calls: readonly { readonly method: string }[]): Outcome {
  const counts: Record<string, number> = {};
  for (const { method } of calls) counts[`call ${method}`] = (counts[`call ${method}`] ?? 0) + 1;
  return counts;
}

/** Clients of a world are not waited for: what one of them throws must fail the run all the same. */
async function withoutLostErrors(run: () => Promise<Outcome>): Promise<Outcome> {
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  process.on("unhandledRejection", note);
  try {
    const outcome = await run();
    await new Promise((resolve) => void setImmediate(resolve));
    if (errors.length > 0) throw errors[0];
    return outcome;
  } finally {
    process.off("unhandledRejection", note);
  }
}
