/** Compares the rows of a table with one of them. */
import type { Figures } from "./scenarios/scenario.ts";
import { median } from "./statistics.ts";

export interface Ratios {
  readonly against: string;
  /** By name: for rates how many times as much, for times how many times as long. */
  readonly of: ReadonlyMap<string, number>;
}

/** @param wanted the row to compare with, if it was measured; otherwise the default of the figures is used. */
export function ratiosOf({ values, against: preset }: Figures, wanted: string | undefined): Ratios | undefined {
  const against = wanted !== undefined && values.has(wanted) ? wanted : preset;
  const base = values.get(against);
  if (base === undefined || values.size === 1) return undefined;
  return { against, of: new Map([...values].map(([name, of]) => [name, median(of) / median(base)])) };
}
