/** The counters of a module: `durable_streams_<module>_<counter>_total`. */

import { single, type Metric } from "../metrics/metric.ts";

/** What a module counts: names, each with its help text. */
export type ModuleCounters = Readonly<Record<string, string>>;

/** One module's counters, in one server or isolate. */
export class ModuleCounts {
  readonly #module: string;
  readonly #helps: ModuleCounters;
  readonly #values: Map<string, number>;

  constructor(module: string, counters: ModuleCounters) {
    this.#module = module;
    this.#helps = counters;
    this.#values = new Map(Object.keys(counters).map((name) => [name, 0]));
  }

  /** @throws Error if the module has not declared the counter. */
  add(name: string, by = 1): void {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`The module ${this.#module} has no counter ${name}.`);
    this.#values.set(name, value + by);
  }

  metrics(): readonly Metric[] {
    const prefix = `durable_streams_${this.#module.replaceAll("-", "_")}`;
    return [...this.#values].map(([name, value]) =>
      single("counter", `${prefix}_${name}_total`, this.#helps[name] ?? "", value),
    );
  }
}
