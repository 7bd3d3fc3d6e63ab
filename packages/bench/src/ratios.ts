/** How the rows of a table compare with one of them. */
import type { Figures } from "./scenarios/scenario.ts";
import { median } from "./statistics.ts";

export interface Ratios {
  readonly against: string;
  /** By name; of rates how many times as much, of times how many times as long. */
  readonly of: ReadonlyMap<string, number>;
}

/** @param wanted whom to compare with, if it was measured; otherwise the figures' own choice. */
export function ratiosOf({ values, against: initial }: Figures, wanted: string | undefined): Ratios | undefined {
  const against = wanted !== undefined && values.has(wanted) ? wanted : initial;
  const base = values.get(against);
  if (base === undefined || values.size === 1) return undefined;
  return { against, of: new Map([...values].map(([name, of]) => [name, median(of) / median(base)])) };
}
