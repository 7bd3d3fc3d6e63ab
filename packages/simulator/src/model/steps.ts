import fc from "fast-check";

import {
  INTERRUPTION_MS,
  MISHAPS,
  type Append,
  type Command,
  type Create,
  type Interruption,
  type Mode,
} from "./commands.ts";
import { pastOffset } from "./past-offset.ts";
import type { ReferenceServer } from "./reference-server.ts";
import { status, type Place, type ReferenceStream } from "./reference-stream.ts";

/** A step says what to try in relation to where the streams stand, so that shrinking keeps its meaning. */
export type Step = { readonly name: string } & (
  | { readonly kind: "create"; readonly mode: Mode; readonly ttlSeconds: number | undefined; readonly closed: boolean }
  | ForkStep
  | { readonly kind: "append"; readonly intent: AppendIntent }
  | { readonly kind: "together"; readonly intents: readonly AppendIntent[] }
  | { readonly kind: "read"; readonly which: number; readonly etag: number }
  | { readonly kind: "advance"; readonly how: "little" | "almost" | "past" }
  | { readonly kind: "again" | "head" | "remove" | "alarm" | "restart" }
  | {
      readonly kind: "interrupted";
      readonly what: ForkStep | "remove";
      readonly steps: number;
      readonly mishap: number;
    }
);

interface ForkStep {
  readonly kind: "fork";
  /** Which of the streams that are there; a few numbers stand for one that need not be. */
  readonly source: number;
  readonly place: number;
  readonly subOffset: number;
  readonly ttlSeconds: number | undefined;
  readonly closed: boolean;
}

interface AppendIntent {
  readonly records: readonly number[];
  readonly rightMode: boolean;
  readonly close: boolean;
  readonly producer: { readonly id: string; readonly move: ProducerMove } | undefined;
  readonly streamSeq: "next" | "same" | "lower" | undefined;
  /** Which offset the stream is to end at: an even number stands for that where it does. */
  readonly expected: number | undefined;
}

type ProducerMove = "next" | "repeat" | "gap" | "bump" | "bump-late" | "stale";

/** JSON texts that a server may not rewrite; as bytes they are just bytes. */
const JSON_TEXTS = ["1.0", "12345678901234567890", '{"a":1,"a":2}', '"é\\u0041 , ]"', "[ ]", "null", '"x"', "-0e5"];
const BYTE_TEXTS = ["\u0000", "\u00ff\u00fe", "hello", "\r\n", ",", "[", "]", "\u00c3"];
const NAMES = ["a", "b", "c", "d"];
const TTL_SECONDS = 1_000;

const move = fc.oneof(
  { weight: 5, arbitrary: fc.constant<ProducerMove>("next") },
  { weight: 2, arbitrary: fc.constant<ProducerMove>("repeat") },
  { weight: 3, arbitrary: fc.constantFrom<ProducerMove>("gap", "bump", "bump-late", "stale") },
);

const intent: fc.Arbitrary<AppendIntent> = fc.record({
  records: fc.array(fc.nat({ max: JSON_TEXTS.length - 1 }), { minLength: 1, maxLength: 3 }),
  rightMode: fc.nat(11).map((roll) => roll > 0),
  close: fc.nat(19).map((roll) => roll === 19),
  producer: fc.option(fc.record({ id: fc.constantFrom("a", "b", "ab"), move }), { nil: undefined }),
  streamSeq: fc.option(fc.constantFrom("next", "next", "same", "lower"), { nil: undefined, freq: 3 }),
  expected: fc.option(fc.nat(1000), { nil: undefined, freq: 3 }),
});

const closing: fc.Arbitrary<AppendIntent> = intent.map((some) => ({ ...some, records: [], close: true }));

const fork: fc.Arbitrary<ForkStep> = fc.record({
  kind: fc.constant("fork"),
  source: fc.nat(19),
  place: fc.nat(1000),
  subOffset: fc.constantFrom(0, 0, 0, 1, 3),
  ttlSeconds: fc.constantFrom(undefined, undefined, undefined, TTL_SECONDS, TTL_SECONDS * 2),
  closed: fc.nat(15).map((roll) => roll === 15),
});

function stepOf(name: fc.Arbitrary<string>): fc.Arbitrary<Step> {
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        name,
        kind: fc.constant("create"),
        mode: fc.constantFrom("bytes", "json"),
        ttlSeconds: fc.constantFrom(undefined, undefined, TTL_SECONDS),
        closed: fc.nat(9).map((roll) => roll === 9),
      }),
    },
    { weight: 6, arbitrary: fc.tuple(fork, name).map(([some, at]) => ({ ...some, name: at })) },
    { weight: 10, arbitrary: fc.record({ name, kind: fc.constant("append"), intent }) },
    { weight: 1, arbitrary: fc.record({ name, kind: fc.constant("append"), intent: closing }) },
    {
      weight: 3,
      arbitrary: fc.record({ name, kind: fc.constant("together"), intents: fc.array(intent, { maxLength: 6 }) }),
    },
    { weight: 6, arbitrary: fc.record({ name, kind: fc.constant("read"), which: fc.nat(1000), etag: fc.nat(1000) }) },
    {
      weight: 2,
      arbitrary: fc.record({ name, kind: fc.constant("advance"), how: fc.constantFrom("little", "almost", "past") }),
    },
    { weight: 3, arbitrary: fc.record({ name, kind: fc.constant("restart") }) },
    {
      weight: 5,
      arbitrary: fc.record({ name, kind: fc.constantFrom("again", "head", "alarm", "remove", "remove") }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        name,
        kind: fc.constant("interrupted"),
        what: fc.oneof(fork, fc.constant("remove" as const)),
        steps: fc.nat(8),
        mishap: fc.nat(MISHAPS.length - 1),
      }),
    },
  );
}

/** One step in the life of a few URLs. */
export const lifeStep: fc.Arbitrary<Step> = stepOf(fc.constantFrom(...NAMES));

/** Histories of a few URLs: the first step creates a stream more often than not. */
export const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.constantFrom<Mode>("bytes", "json"),
    fc.constantFrom(undefined, TTL_SECONDS),
    fc.array(lifeStep, { minLength: 1, maxLength: 60, size: "max" }),
  )
  .map(([mode, ttlSeconds, rest]) => [{ name: "a", kind: "create", mode, ttlSeconds, closed: false }, ...rest]);

/**
 * A chain of forks, each with some bytes of its own, and then its history. A link leaves its source at the tail, or where
 * its source's own content begins.
 */
export function chainSteps(depth: number): fc.Arbitrary<Step[]> {
  const nameOf = (level: number): string => `level ${level}`;
  const link = fc.record({ isEarly: fc.boolean(), records: fc.array(fc.nat(7), { minLength: 1, maxLength: 3 }) });
  const links = fc.array(link, { minLength: depth, maxLength: depth });
  const life = fc.array(stepOf(fc.nat(depth).map(nameOf)), { maxLength: 40 });
  return fc.tuple(links, life).map(([all, rest]) => {
    const root: Step = { name: nameOf(0), kind: "create", mode: "bytes", ttlSeconds: undefined, closed: false };
    const levels = all.flatMap(({ isEarly, records }, level): Step[] => {
      // After an early link the offset before the last is none of the source's.
      const place = isEarly && level > 0 && all[level - 1]?.isEarly === false ? BEFORE_LAST : 0;
      return [
        { name: nameOf(level), kind: "append", intent: { ...PLAIN, records } },
        { ...LINK, name: nameOf(level + 1), source: LEVEL + level, place },
      ];
    });
    return [root, ...levels, ...rest];
  });
}

const PLAIN = {
  rightMode: true,
  close: false,
  producer: undefined,
  streamSeq: undefined,
  expected: undefined,
} as const;
const LINK = { kind: "fork", subOffset: 0, ttlSeconds: undefined, closed: false } as const;
/** A `ForkStep.source` from here on means one level of a chain, a `ForkStep.place` of this one the last offset but one. */
const LEVEL = 1_000;
const BEFORE_LAST = -2;

/** All offsets that the server ever returned, besides `-1` and `now`, and which one a place has. */
interface Offsets {
  readonly offsets: readonly string[];
  readonly offsetOf: (place: Place) => string | undefined;
}

/**
 * What a step means now.
 * @param known what the server ever returned.
 */
export function commandsOf(
  model: ReferenceServer,
  current: Exclude<Step, { kind: "interrupted" }>,
  known: Offsets & {
    readonly etags: readonly string[];
    readonly created?: Create | undefined;
  },
): Command[] {
  const { name } = current;
  switch (current.kind) {
    case "create": {
      const { mode, ttlSeconds, closed } = current;
      const records = closed ? recordsOf(mode, [0, 4]) : [];
      return [{ kind: "create", name, mode, ttlSeconds, closed, records, fork: undefined }];
    }
    case "fork":
      return [forkOf(model, name, current, known.offsets)];
    case "again":
      return known.created === undefined ? [] : [known.created];
    case "append":
      return [appendOf(model, name, current.intent, known)];
    case "together":
      return current.intents.map((each) => appendOf(model, name, each, known));
    case "read": {
      const offsets = ["-1", "now", ...known.offsets, ...known.offsets.map(pastOffset)];
      const offset = offsets[current.which % offsets.length] ?? "-1";
      return [{ kind: "read", name, offset, etag: known.etags[current.etag % (2 * known.etags.length + 1)] }];
    }
    case "advance":
      return [{ kind: "advance", ms: advanceMs(model, model.live(name), current.how) }];
    case "head":
    case "remove":
    case "alarm":
    case "restart":
      return [{ kind: current.kind, name }];
  }
}

/** An interruption takes its time; where that would leave a stream's end uncertain there is none. */
export function interruptionOf(
  model: ReferenceServer,
  { name, what, steps: count, mishap }: Extract<Step, { kind: "interrupted" }>,
  offsets: readonly string[],
): Interruption | undefined {
  const endMs = model.nowMs + INTERRUPTION_MS;
  if (model.certainFrom(model.nowMs) > model.nowMs || model.isUncertain(endMs)) return undefined;
  const command = what === "remove" ? ({ kind: "remove", name } as const) : forkOf(model, name, what, offsets);
  return { command, steps: count, mishap: MISHAPS[mishap % MISHAPS.length] ?? "both crash" };
}

function forkOf(model: ReferenceServer, name: string, step: ForkStep, offsets: readonly string[]): Create {
  const { ttlSeconds, closed, subOffset } = step;
  const source = step.source >= LEVEL ? `level ${step.source - LEVEL}` : sourceOf(model, step.source);
  const mode = model.live(source)?.mode;
  const place = placeOf(step.place, offsets);
  const records = closed && mode !== undefined ? recordsOf(mode, [1]) : [];
  return {
    kind: "create",
    name,
    mode: records.length > 0 || step.place % 5 === 1 ? mode : undefined,
    ttlSeconds,
    closed,
    records,
    fork: { source, offset: place, subOffset: place === undefined ? 0 : subOffset },
  };
}

/** One time in four the tail; otherwise any offset, of whatever stream, or one past it. */
function placeOf(which: number, offsets: readonly string[]): string | undefined {
  if (which < 0) return offsets.at(which);
  const all = ["-1", ...offsets, ...offsets.map(pastOffset)];
  return which % 4 === 0 ? undefined : all[which % all.length];
}

function sourceOf(model: ReferenceServer, which: number): string {
  const there = model.names;
  const candidates = which < 3 || there.length === 0 ? NAMES : there;
  return candidates[which % candidates.length] ?? "a";
}

function appendOf(
  model: ReferenceServer,
  name: string,
  { records, rightMode, close, producer, streamSeq, expected }: AppendIntent,
  offsets: Offsets,
): Append {
  const stream = model.live(name);
  const mode = stream?.mode ?? "bytes";
  const sent = rightMode ? mode : mode === "json" ? "bytes" : "json";
  const known = producer === undefined ? undefined : stream?.producers.get(producer.id);
  return {
    kind: "append",
    name,
    mode: sent,
    records: recordsOf(sent, records),
    close,
    producer: producer && { id: producer.id, ...moved(known, producer.move) },
    streamSeq: streamSeq && streamSeqOf(stream?.streamSeq ?? "", streamSeq),
    expected: expected === undefined ? undefined : expectedOf(stream, expected, offsets),
  };
}

function expectedOf(stream: ReferenceStream | undefined, which: number, { offsets, offsetOf }: Offsets): string {
  const tail = stream === undefined ? undefined : offsetOf(status(stream).place);
  const all = ["-1", ...offsets];
  return (which % 2 === 0 ? tail : all[which % all.length]) ?? "-1";
}

function recordsOf(mode: Mode, indexes: readonly number[]): string[] {
  const texts = mode === "json" ? JSON_TEXTS : BYTE_TEXTS;
  return indexes.map((index) => texts[index % texts.length] ?? "");
}

function moved(known: { epoch: number; seq: number } | undefined, how: ProducerMove): { epoch: number; seq: number } {
  const { epoch, seq } = known ?? { epoch: 0, seq: -1 };
  switch (how) {
    case "next":
      return { epoch, seq: seq + 1 };
    case "repeat":
      return { epoch, seq: Math.max(0, seq) };
    case "gap":
      return { epoch, seq: seq + 3 };
    case "bump":
      return { epoch: epoch + 1, seq: 0 };
    case "bump-late":
      return { epoch: epoch + 1, seq: 1 };
    case "stale":
      return { epoch: Math.max(0, epoch - 1), seq: seq + 1 };
  }
}

function streamSeqOf(last: string, how: "next" | "same" | "lower"): string {
  if (how === "next") return last + "1";
  return how === "same" && last !== "" ? last : "0";
}

/** Time goes to just before a stream's end, beyond it, or on by a little, and never to where an end is uncertain. */
function advanceMs(
  model: ReferenceServer,
  stream: ReferenceStream | undefined,
  how: "little" | "almost" | "past",
): number {
  const littleMs = 30_000;
  const targetMs =
    stream?.ttlSeconds === undefined || how === "little"
      ? model.nowMs + littleMs
      : model.almostOver(stream) + (how === "past" ? littleMs : 0);
  return Math.round(model.certainFrom(Math.max(targetMs, model.nowMs)) - model.nowMs);
}
