import fc from "fast-check";

import type { Append, Command, Mode } from "./commands.ts";
import { RESTART_MS, type ReferenceStream } from "./reference-stream.ts";

/** A step says what to try in relation to where the stream stands, so that shrinking keeps its meaning. */
export type Step =
  | { readonly kind: "create"; readonly mode: Mode; readonly ttlSeconds: number | undefined; readonly closed: boolean }
  | { readonly kind: "append"; readonly intent: AppendIntent }
  | { readonly kind: "together"; readonly intents: readonly AppendIntent[] }
  | { readonly kind: "read"; readonly which: number }
  | { readonly kind: "advance"; readonly how: "little" | "almost" | "past" }
  | { readonly kind: "head" | "remove" | "alarm" | "restart" };

interface AppendIntent {
  readonly records: readonly number[];
  readonly rightMode: boolean;
  readonly close: boolean;
  readonly producer: { readonly id: string; readonly move: ProducerMove } | undefined;
  readonly streamSeq: "next" | "same" | "lower" | undefined;
}

type ProducerMove = "next" | "repeat" | "gap" | "bump" | "bump-late" | "stale";

/** JSON texts that a server may not rewrite; as bytes they are just bytes. */
const JSON_TEXTS = ["1.0", "12345678901234567890", '{"a":1,"a":2}', '"é\\u0041 , ]"', "[ ]", "null", '"x"', "-0e5"];
const BYTE_TEXTS = ["\u0000", "\u00ff\u00fe", "hello", "\r\n", ",", "[", "]", "\u00c3"];

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
});

const closing: fc.Arbitrary<AppendIntent> = intent.map((some) => ({ ...some, records: [], close: true }));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("create"),
      mode: fc.constantFrom("bytes", "json"),
      ttlSeconds: fc.constantFrom(undefined, undefined, 100),
      closed: fc.nat(9).map((roll) => roll === 9),
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("append"), intent }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("append"), intent: closing }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("together"), intents: fc.array(intent, { maxLength: 6 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("read"), which: fc.nat(1000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("advance"), how: fc.constantFrom("little", "almost", "past") }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("restart") }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("head", "alarm", "head", "remove") }) },
);

/** A life of one URL: the first step makes a stream more often than not. */
export const steps: fc.Arbitrary<Step[]> = fc
  .tuple(
    fc.constantFrom<Mode>("bytes", "json"),
    fc.constantFrom(undefined, 100),
    fc.array(step, { minLength: 1, maxLength: 40 }),
  )
  .map(([mode, ttlSeconds, rest]) => [{ kind: "create", mode, ttlSeconds, closed: false }, ...rest]);

/**
 * What a step means now.
 * @param offsets all that the server ever returned, besides `-1` and `now`.
 */
export function commandsOf(model: ReferenceStream, current: Step, offsets: readonly string[]): Command[] {
  switch (current.kind) {
    case "create": {
      const { mode, ttlSeconds, closed } = current;
      return [{ kind: "create", mode, ttlSeconds, closed, records: closed ? recordsOf(mode, [0, 4]) : [] }];
    }
    case "append":
      return [appendOf(model, current.intent)];
    case "together":
      return current.intents.map((each) => appendOf(model, each));
    case "read":
      return [{ kind: "read", offset: ["-1", "now", ...offsets][current.which % (offsets.length + 2)] ?? "-1" }];
    case "advance":
      return [{ kind: "advance", ms: advanceMs(model, current.how) }];
    case "head":
    case "remove":
    case "alarm":
    case "restart":
      return [current];
  }
}

function appendOf(model: ReferenceStream, { records, rightMode, close, producer, streamSeq }: AppendIntent): Append {
  const mode = model.live?.mode ?? "bytes";
  const sent = rightMode ? mode : mode === "json" ? "bytes" : "json";
  const known = producer === undefined ? undefined : model.live?.producers.get(producer.id);
  return {
    kind: "append",
    mode: sent,
    records: recordsOf(sent, records),
    close,
    producer: producer && { id: producer.id, ...moved(known, producer.move) },
    streamSeq: streamSeq && streamSeqOf(model.live?.streamSeq ?? "", streamSeq),
  };
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

/** More than the restarts of one plan take. */
const RESTARTS_MS_MAX = 100 * RESTART_MS;

/**
 * Time goes to just before the end, beyond it, or on by a little. A renewal may be known to the disk a tenth of the
 * window late, so the tenth after the end is passed over: there a stream may or may not have survived a restart.
 */
function advanceMs(model: ReferenceStream, how: "little" | "almost" | "past"): number {
  const stream = model.live;
  if (stream?.ttlSeconds === undefined) return 1_000;
  const windowMs = stream.ttlSeconds * 1000;
  const idleMs = model.nowMs - stream.touchedAtMs;
  const almost = Math.max(0, windowMs - RESTARTS_MS_MAX - idleMs);
  if (how === "almost") return almost;
  return how === "past" || windowMs * 0.03 > almost ? windowMs * 1.1 - idleMs : windowMs * 0.03;
}
