import type { ForkCommand } from "@durable-streams-cloudflare/core/contracts/stream";
import type { Stream } from "@durable-streams-cloudflare/core/stream/stream";
import { codeOf, appendOf, createOf } from "@durable-streams-cloudflare/core/test/stream-fixture";
import { formatOffset, parseOffset, type Lifetime, type Result } from "@durable-streams-cloudflare/protocol";
import { utf8 } from "@durable-streams-cloudflare/testkit";
import { settled } from "@durable-streams-cloudflare/testkit/node-host";
import fc from "fast-check";

import { StreamWorld } from "../worlds/stream-world.ts";
import { Lost, type Fate } from "../worlds/world.ts";

const NAMES = ["p/a", "p/b", "p/c", "p/d", "p/e"] as const;
type Name = (typeof NAMES)[number];

export type ForkStep =
  | { readonly kind: "create" | "append" | "remove"; readonly name: Name }
  | { readonly kind: "crash" | "fireAlarm"; readonly name: Name }
  | { readonly kind: "expiring"; readonly name: Name; readonly sliding: boolean }
  | {
      readonly kind: "fork";
      readonly name: Name;
      readonly source: number;
      readonly place: number;
      readonly sub: number;
    }
  | { readonly kind: "quiet" }
  | { readonly kind: "release"; readonly which: number; readonly fate: Fate }
  | { readonly kind: "advance"; readonly ms: number };

const name = fc.constantFrom(...NAMES);

export const forkStep: fc.Arbitrary<ForkStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("create", "append", "remove", "remove"), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("expiring"), name, sliding: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("fork"),
      name,
      source: fc.nat(19),
      place: fc.nat(6),
      sub: fc.constantFrom(0, 0, 1, 3),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("release"),
      which: fc.nat(9),
      fate: fc.constantFrom<Fate>("arrives", "arrives", "arrives", "arrives", "lost", "late"),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ kind: "quiet" } as const) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("crash", "fireAlarm", "fireAlarm"), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("advance"), ms: fc.constantFrom(20_000, 45_000, 70_000) }) },
);

/** A stream that the others can come from. */
export const FIRST_STEPS: readonly ForkStep[] = [
  { kind: "create", name: "p/a" },
  { kind: "append", name: "p/a" },
  { kind: "quiet" },
];

export const forkSteps: fc.Arbitrary<ForkStep[]> = fc
  .array(forkStep, { minLength: 1, maxLength: 80, size: "max" })
  .map((rest) => [...FIRST_STEPS, ...rest]);

/** An object comes back later than it went. */
const CRASH_MS = 50;
const FAR_MS = 1_000_000;

/** Carries steps out on a world of held messages. */
export class ForkRun {
  readonly world: StreamWorld;
  /** How often each operation was answered how. */
  readonly outcomes = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  readonly #bugs: unknown[] = [];
  #tokens = 0;

  constructor(world = new StreamWorld()) {
    this.world = world;
  }

  async take(current: ForkStep): Promise<void> {
    this.world.isHeld = true;
    switch (current.kind) {
      case "release":
        await this.world.release(current.which, current.fate);
        break;
      case "quiet":
        await this.world.releaseAll();
        break;
      case "crash":
        this.world.crash(current.name);
        this.world.nowMs += CRASH_MS;
        break;
      case "advance":
        this.world.nowMs += current.ms;
        break;
      case "fireAlarm":
        this.#start("fireAlarm", () => this.world.fireAlarm(current.name).then(() => "ok"));
        break;
      case "append":
      case "create":
      case "expiring":
      case "fork":
      case "remove":
        this.#operate(current);
    }
    await settled();
    if (this.#bugs.length > 0) throw this.#bugs[0];
  }

  /** Nothing is held or lost any more: all that was under way comes to an end. */
  async finish(): Promise<void> {
    await this.world.releaseAll();
    await Promise.all(this.#running);
    if (this.#bugs.length > 0) throw this.#bugs[0];
  }

  #operate(current: Extract<ForkStep, { kind: "create" | "append" | "remove" | "expiring" | "fork" }>): void {
    const invoke = async (stream: Stream): Promise<Result<object>> => {
      switch (current.kind) {
        case "create":
          return stream.create(createOf({ bytes: utf8(this.#token(current.name)) }));
        case "expiring":
          return stream.create(createOf({ lifetime: this.#lifetime(current.sliding) }));
        case "append":
          return stream.append(appendOf(this.#token(current.name)));
        case "remove":
          return stream.remove();
        case "fork": {
          const bytes = utf8(this.#token(current.name));
          return stream.create(createOf({ contentType: null, fork: this.#forkOf(current), bytes }));
        }
      }
    };
    this.#start(current.kind, () => this.world.ask(current.name, invoke).then(codeOf));
  }

  #start(kind: string, operation: () => Promise<string>): void {
    const running = operation()
      .catch((error: unknown) => {
        if (!(error instanceof Lost)) this.#bugs.push(error);
        return "lost";
      })
      .then((outcome) => {
        const key = `${kind} ${outcome}`;
        this.outcomes.set(key, (this.outcomes.get(key) ?? 0) + 1);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  #token(owner: Name): string {
    this.#tokens += 1;
    return `[${owner}${this.#tokens}]`;
  }

  #lifetime(isSliding: boolean): Lifetime {
    if (isSliding) return { kind: "ttl", ttlSeconds: 100 };
    return { kind: "at", expiresAtMs: this.world.nowMs + FAR_MS / 10 };
  }

  /** The tail, the beginning, or a place where some append has ended; mostly of a stream that is there. */
  #forkOf({ source: which, place, sub }: Extract<ForkStep, { kind: "fork" }>): ForkCommand {
    const there = NAMES.filter((candidate) => this.world.stream(candidate).head().ok);
    const candidates = which < 2 || there.length === 0 ? NAMES : there;
    const source = candidates[which % candidates.length] ?? NAMES[0];
    const result = this.world.stream(source).head();
    if (place === 0 || !result.ok) return { source, offset: null, subOffset: 0 };
    const { lineage, tail } = result;
    const owners = [...lineage.ancestors, { incarnation: lineage.incarnation, to: tail }];
    const { incarnation, to } = owners[place % owners.length] ?? { incarnation: 0, to: 0 };
    const offset = place === 1 ? ({ kind: "start" } as const) : parseOffset(formatOffset(incarnation, to));
    return { source, offset: offset ?? null, subOffset: sub };
  }
}
