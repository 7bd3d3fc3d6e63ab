/** Runs scenarios one after the other, and says what came of it. */
import { createHash } from "node:crypto";

import type { Outcome, Plan, Scenario } from "../scenarios/scenario.ts";
import type { Request } from "./arguments.ts";
import { shrink } from "./shrink.ts";

export interface Terminal {
  /** Lines that are the same whenever the run is. */
  print(line: string): void;
  /** How far it is, which depends on the machine. */
  progress(line: string): void;
  /** In ms; real, whatever a world does to its own clock. */
  now(): number;
}

class Failure {
  readonly error: unknown;
  /** The step that was being taken, or the last one when it failed afterwards. */
  readonly step: number;

  constructor(error: unknown, step: number) {
    this.error = error;
    this.step = step;
  }
}

const PROGRESS_MS = 2_000;
/** Steps of a failure that are shown, the last ones. */
const SHOWN_STEPS_MAX = 40;

/** @returns whether everything held. Stops at the first failure. */
export async function simulate({ scenarios, seed, runs, steps }: Request, terminal: Terminal): Promise<boolean> {
  const wanted = steps === undefined ? "" : ` --steps ${steps}`;
  const world = scenarios.length === 1 ? (scenarios[0]?.name ?? "") : "all";
  terminal.print(`simulate --world ${world} --seed ${seed}${wanted} --runs ${runs}`);
  for (const scenario of scenarios) {
    if (!(await runScenario(scenario, { seed, runs, steps: steps ?? scenario.steps }, terminal))) return false;
  }
  return true;
}

type Runs = Required<Pick<Request, "seed" | "runs">> & { readonly steps: number };

async function runScenario(scenario: Scenario, { seed, runs, steps }: Runs, terminal: Terminal): Promise<boolean> {
  const meter = new Meter(scenario.name, terminal);
  const fingerprint = createHash("sha256");
  for (let nth = 0; nth < runs; nth += 1) {
    const plan = scenario.plan(seed + nth, steps);
    const all = Array.from({ length: plan.length }, (_, index) => index);
    const result = await attempt(plan, all, () => meter.step());
    if (result instanceof Failure) {
      terminal.print(`✗ ${scenario.name}: seed ${seed + nth} failed at step ${result.step + 1} of ${plan.length}`);
      await explain(scenario, plan, { indexes: all, failure: result }, terminal);
      terminal.print(`Repeat it: npm run simulate -- --world ${scenario.name} --seed ${seed + nth} --steps ${steps}`);
      return false;
    }
    fingerprint.update(canonical(result));
  }
  const digest = fingerprint.digest("hex").slice(0, 12);
  terminal.print(`✓ ${scenario.name}: ${runs} × ${steps} steps, fingerprint ${digest}`);
  meter.report();
  return true;
}

async function explain(
  { name }: Scenario,
  plan: Plan,
  failing: { readonly indexes: readonly number[]; readonly failure: Failure },
  terminal: Terminal,
): Promise<void> {
  terminal.print(textOf(failing.failure.error));
  terminal.progress(`${name}: looking for a smaller plan that fails, too`);
  const reached = { ...failing, indexes: failing.indexes.slice(0, failing.failure.step + 1) };
  const tryOut = async (indexes: readonly number[]): Promise<Failure | undefined> => {
    const result = await attempt(plan, indexes, () => undefined);
    return result instanceof Failure ? result : undefined;
  };
  const start = (await tryOut(reached.indexes)) === undefined ? failing : reached;
  const { indexes, failure } = await shrink(start, tryOut);
  const shown = indexes.slice(-SHOWN_STEPS_MAX);
  terminal.print(
    `${indexes.length} of its steps are enough${shown.length < indexes.length ? "; the last of them" : ""}:`,
  );
  for (const index of shown) terminal.print(`  ${index + 1}. ${plan.describe(index)}`);
  terminal.print(`They end in: ${textOf(failure.error)}`);
}

async function attempt(plan: Plan, indexes: readonly number[], onStep: () => void): Promise<Outcome | Failure> {
  let step = 0;
  try {
    return await plan.run(indexes, (index) => {
      step = index;
      onStep();
    });
  } catch (error) {
    return new Failure(error, step);
  }
}

class Meter {
  readonly #name: string;
  readonly #terminal: Terminal;
  readonly #startMs: number;
  #shownMs: number;
  #steps = 0;

  constructor(name: string, terminal: Terminal) {
    this.#name = name;
    this.#terminal = terminal;
    this.#startMs = this.#shownMs = terminal.now();
  }

  step(): void {
    this.#steps += 1;
    if (this.#terminal.now() - this.#shownMs >= PROGRESS_MS) this.report();
  }

  report(): void {
    this.#shownMs = this.#terminal.now();
    const seconds = Math.max(0.001, (this.#shownMs - this.#startMs) / 1_000);
    this.#terminal.progress(`  ${this.#name}: ${this.#steps} steps, ${Math.round(this.#steps / seconds)} steps/s`);
  }
}

function canonical(outcome: Outcome): string {
  return JSON.stringify(Object.entries(outcome).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
