/** Metrics as plain data, whatever format they are sent in. */

/** One metric with its current values. A metric without points has no value now, and is not shown. */
export type Metric = NumberMetric | HistogramMetric;

interface Described {
  /** In the notation of Prometheus. Durations are in seconds, sizes in bytes. */
  readonly name: string;
  readonly help: string;
}

export interface NumberMetric extends Described {
  /** A counter only grows while the server runs. */
  readonly type: "counter" | "gauge";
  readonly points: readonly NumberPoint[];
}

export interface HistogramMetric extends Described {
  readonly type: "histogram";
  readonly points: readonly HistogramPoint[];
}

export type Labels = Readonly<Record<string, string>>;

export interface NumberPoint {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramPoint {
  readonly labels: Labels;
  /** Upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[];
  /** For each bound, how many values were up to it but above the previous one. Last: those above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A metric with one value, or with none. */
export function single(
  type: NumberMetric["type"],
  name: string,
  help: string,
  value: number | undefined,
): NumberMetric {
  return { type, name, help, points: value === undefined ? [] : [{ labels: NO_LABELS, value }] };
}

export const NO_LABELS: Labels = {};
