import type { Append, Command, Driver, Observed } from "./commands.ts";
import { ReferenceStream, type Expected, type Place } from "./reference-stream.ts";
import { commandsOf, type Step } from "./steps.ts";

/**
 * Does the same to the model and to a server, and compares every answer.
 * @throws Error at the first difference.
 */
export async function runSteps(driver: Driver, plan: readonly Step[], startMs: number): Promise<void> {
  const model = new ReferenceStream(startMs);
  const offsets = new OffsetBook();
  for (const step of plan) {
    const commands = commandsOf(model, step, offsets.all());
    const expected = commands.map((command) =>
      model.apply(command, command.kind === "read" ? offsets.placeOf(command.offset) : undefined),
    );
    const observed = await observe(driver, commands);
    for (const [index, command] of commands.entries()) {
      compare(command, expected[index], observed[index], offsets);
    }
  }
}

async function observe(driver: Driver, commands: readonly Command[]): Promise<Observed[]> {
  const appends = commands.filter((command): command is Append => command.kind === "append");
  if (appends.length > 1 && driver.applyTogether !== undefined) return driver.applyTogether(appends);
  const observed: Observed[] = [];
  for (const command of commands) observed.push(await driver.apply(command));
  return observed;
}

function compare(
  command: Command,
  expected: Expected | undefined,
  observed: Observed | undefined,
  offsets: OffsetBook,
): void {
  const { place, ...wanted } = expected ?? { outcome: "nothing" };
  const { offset, ...seen } = observed ?? { outcome: "nothing" };
  if (canonical(wanted) !== canonical(seen)) {
    throw new Error(`${JSON.stringify(command)}\nexpected ${canonical(wanted)}\nobserved ${canonical(seen)}`);
  }
  if (place === undefined) return;
  if (offset === undefined) throw new Error(`${JSON.stringify(command)}: the answer has no offset.`);
  offsets.learn(offset, place);
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

  placeOf(offset: string): Place | "tail" | undefined {
    return offset === "now" ? "tail" : this.#places.get(offset);
  }

  /** One offset for one place; in one generation offsets sort as the places do. */
  learn(offset: string, place: Place): void {
    for (const [otherOffset, other] of this.#places) {
      const isSameLife = place.generation === other.generation;
      const textOrder = offset < otherOffset ? -1 : offset === otherOffset ? 0 : 1;
      if (isSameLife ? Math.sign(place.count - other.count) !== textOrder : textOrder === 0) {
        throw new Error(`Offset ${offset} of ${JSON.stringify(place)} is out of order with ${otherOffset}.`);
      }
    }
    this.#places.set(offset, place);
  }
}
