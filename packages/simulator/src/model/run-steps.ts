import type { Append, Command, Create, Driver, Interruption, Observed } from "./commands.ts";
import { offsetBefore } from "./past-offset.ts";
import { ReferenceServer, type Meaning } from "./reference-server.ts";
import type { Expected, Place } from "./reference-stream.ts";
import { commandsOf, interruptionOf, type Step } from "./steps.ts";

/** When all is looked at: about so many streams, and on each of them so many offsets and entity tags. */
const LOOKED_AT_MAX = 8;

/**
 * Does the same to the model and to a server, and compares every answer; at the end, and after each interruption, all
 * streams are looked at: what they hold, and what becomes of old offsets and entity tags.
 * @param onStep is told the place of each step in the plan, before it is taken.
 * @returns how often each command was answered how.
 * @throws Error at the first difference.
 */
export async function runSteps(
  driver: Driver,
  plan: readonly Step[],
  startMs: number,
  onStep?: (nth: number) => void,
): Promise<Map<string, number>> {
  const run = new Run(driver, startMs);
  for (const [nth, step] of plan.entries()) {
    onStep?.(nth);
    await run.take(step);
  }
  await run.lookAtAll(plan.map(({ name }) => name));
  return run.outcomes;
}

class Run {
  readonly outcomes = new Map<string, number>();
  readonly #driver: Driver;
  #model: ReferenceServer;
  readonly #offsets = new OffsetBook();
  readonly #etags = new EtagBook();
  /** How each stream was made last. */
  readonly #created = new Map<string, Create>();

  constructor(driver: Driver, startMs: number) {
    this.#driver = driver;
    this.#model = new ReferenceServer(startMs, driver.readsAtMessages ?? false);
  }

  async take(step: Step): Promise<void> {
    if (step.kind === "interrupted") {
      const interruption = interruptionOf(this.#model, step, this.#offsets.all());
      if (interruption !== undefined) await this.#interrupt(interruption, [step.name]);
      return;
    }
    const offsetOf = (place: Place): string | undefined => this.#offsets.offsetOf(place);
    const known = {
      offsets: this.#offsets.all(),
      offsetOf,
      etags: this.#etags.all(),
      created: this.#created.get(step.name),
    };
    await this.#do(commandsOf(this.#model, step, known));
  }

  async lookAtAll(names: readonly string[]): Promise<void> {
    const all = [...new Set([...this.#model.names, ...names])];
    for (const [index, name] of some(all, this.#offsets.all().length).entries()) {
      const reads = [
        { offset: "-1", etag: undefined },
        ...some(this.#offsets.all(), index).map((offset) => ({ offset, etag: undefined })),
        ...some(this.#etags.all(), index).map((etag) => ({ offset: "-1", etag })),
      ];
      await this.#do([{ kind: "head", name }]);
      for (const read of reads) await this.#do([{ kind: "read", name, ...read }]);
    }
  }

  async #do(commands: readonly Command[]): Promise<void> {
    const expected = commands.map((command) => this.#model.apply(command, this.#meaningOf(command)));
    const observed = await this.#observe(commands);
    await this.#driver.settle();
    for (const [index, command] of commands.entries()) this.#compare(command, expected[index], observed[index]);
  }

  async #observe(commands: readonly Command[]): Promise<Observed[]> {
    const appends = commands.filter((command): command is Append => command.kind === "append");
    if (appends.length > 1 && this.#driver.applyTogether !== undefined) return this.#driver.applyTogether(appends);
    const observed: Observed[] = [];
    for (const command of commands) observed.push(await this.#driver.apply(command));
    return observed;
  }

  /** The answer may be lost: then it was carried out, or it was not, and nothing in between. */
  async #interrupt(interruption: Interruption, names: readonly string[]): Promise<void> {
    const { command } = interruption;
    if (this.#driver.interrupt === undefined) return this.#do([command]);
    const observed = await this.#driver.interrupt(interruption);
    const done = this.#model.clone();
    const expected = done.apply(command, this.#meaningOf(command));
    for (const model of [done, this.#model]) model.passInterruption();
    const head = { kind: "head", name: command.name } as const;
    const isDone =
      observed.outcome !== "lost" ||
      (await this.#driver.apply(head)).outcome !== this.#model.clone().apply(head).outcome;
    const before = this.#model;
    if (isDone) this.#model = done;
    if (observed.outcome === "lost") this.#model.forgetUsesSince(isDone ? before : done);
    this.#compare(command, observed.outcome === "lost" ? { outcome: "lost" } : expected, observed);
    await this.lookAtAll(names);
  }

  #meaningOf(command: Command): Meaning {
    if (command.kind === "read") {
      return { place: this.#offsets.placeOf(command.offset), tagged: this.#etags.meaningOf(command.etag) };
    }
    if (command.kind === "append") return { place: this.#offsets.placeOf(command.expected ?? "") };
    if (command.kind !== "create" || command.fork?.offset === undefined) return {};
    return { place: this.#offsets.placeOf(command.fork.offset) };
  }

  #compare(command: Command, expected: Expected | undefined, observed: Observed | undefined): void {
    const { place, tagged, ...wanted } = expected ?? { outcome: "nothing" };
    const { offset, etag, ...seen } = observed ?? { outcome: "nothing" };
    if (canonical(wanted) !== canonical(seen)) {
      throw new Error(`${JSON.stringify(command)}\nexpected ${canonical(wanted)}\nobserved ${canonical(seen)}`);
    }
    const key = `${command.kind === "create" && command.fork !== undefined ? "fork" : command.kind} ${wanted.outcome}`;
    this.outcomes.set(key, (this.outcomes.get(key) ?? 0) + 1);
    if (command.kind === "create" && wanted.outcome === "created") this.#created.set(command.name, command);
    if (place !== undefined) this.#offsets.learn(required(offset, command), place);
    if (tagged !== undefined) this.#etags.learn(required(etag, command), tagged);
  }
}

function required(token: string | undefined, command: Command): string {
  if (token === undefined) throw new Error(`${JSON.stringify(command)}: the answer lacks its offset or entity tag.`);
  return token;
}

/** The last, and others taken evenly from all; another shift takes others. */
function some(tokens: readonly string[], shift: number): string[] {
  const stride = Math.max(1, Math.ceil(tokens.length / LOOKED_AT_MAX));
  return tokens.filter((_, index) => index === tokens.length - 1 || index % stride === shift % stride);
}

function canonical(value: object): string {
  const known = Object.entries(value).filter(([, field]) => field !== undefined);
  return JSON.stringify(Object.fromEntries(known.toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

/** Every offset that the server returned, and the place that it must mean for ever. */
class OffsetBook {
  readonly #places = new Map<string, Place>();

  all(): string[] {
    return [...this.#places.keys()];
  }

  offsetOf({ generation, count }: Place): string | undefined {
    const found = [...this.#places].find(([, place]) => place.generation === generation && place.count === count);
    return found?.[0];
  }

  placeOf(offset: string): Place | "tail" | undefined {
    if (offset === "now") return "tail";
    const before = this.#places.get(offsetBefore(offset));
    return this.#places.get(offset) ?? (before === undefined ? undefined : { ...before, past: true });
  }

  /** One offset for one place; in one incarnation of a stream offsets sort as the places do. */
  learn(offset: string, place: Place): void {
    if (this.#places.get(offset)?.count === place.count && this.#places.get(offset)?.generation === place.generation) {
      return;
    }
    for (const [otherOffset, other] of this.#places) {
      const isSameIncarnation = place.generation === other.generation;
      const textOrder = offset < otherOffset ? -1 : offset === otherOffset ? 0 : 1;
      if (isSameIncarnation ? Math.sign(place.count - other.count) !== textOrder : textOrder === 0) {
        throw new Error(`Offset ${offset} of ${JSON.stringify(place)} is out of order with ${otherOffset}.`);
      }
    }
    this.#places.set(offset, place);
  }
}

/** Every entity tag that the server returned, and what it stands for. */
class EtagBook {
  readonly #meanings = new Map<string, string>();

  all(): string[] {
    return [...this.#meanings.keys()];
  }

  meaningOf(etag: string | undefined): string | undefined {
    return etag === undefined ? undefined : this.#meanings.get(etag);
  }

  learn(etag: string, meaning: string): void {
    const known = this.#meanings.get(etag) ?? meaning;
    if (known !== meaning) throw new Error(`Entity tag ${etag} stands for ${known} and for ${meaning}.`);
    this.#meanings.set(etag, meaning);
  }
}
