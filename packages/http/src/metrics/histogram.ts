/** A histogram of durations, as Prometheus counts them. */

export class Histogram {
  readonly #bounds: readonly number[];
  /** For each bound, how many durations were up to it but above the previous one. Last: those above all bounds. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper bounds of the buckets, in seconds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(seconds: number): void {
    const index = this.#bounds.findIndex((bound) => seconds <= bound);
    const bucket = index === -1 ? this.#bounds.length : index;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  /**
   * The lines of the histogram, each without the metric's name in front: a suffix, labels and a number.
   * @param labels further labels, without braces; may be empty.
   */
  values(labels = ""): string[] {
    let total = 0;
    const buckets = this.#counts.map((count, index) => {
      total += count;
      const bound = `le="${this.#bounds[index] ?? "+Inf"}"`;
      return `_bucket{${labels === "" ? bound : `${labels},${bound}`}} ${total}`;
    });
    const suffix = labels === "" ? "" : `{${labels}}`;
    return [...buckets, `_sum${suffix} ${this.#sum}`, `_count${suffix} ${total}`];
  }
}
