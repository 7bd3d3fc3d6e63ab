import { numbersFrom } from "../numbers.ts";

/** What happens next, and two numbers that say to whom and how. */
export interface WeightedStep<Kind extends string> {
  readonly kind: Kind;
  readonly a: number;
  readonly b: number;
}

/** @param weights how likely each kind is, in whole numbers. */
export function weightedSteps<Kind extends string>(
  weights: Readonly<Record<Kind, number>>,
  seed: number,
  steps: number,
): WeightedStep<Kind>[] {
  const kinds = (Object.entries(weights) as [Kind, number][]).flatMap(([kind, weight]) =>
    Array.from({ length: weight }, () => kind),
  );
  const next = numbersFrom(seed);
  return Array.from({ length: steps }, () => ({ kind: kinds[next() % kinds.length] as Kind, a: next(), b: next() }));
}
