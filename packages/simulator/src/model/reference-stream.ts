import type { Append, Claim, Mode, Observed } from "./commands.ts";

interface Producer {
  readonly epoch: number;
  readonly seq: number;
}

/** The end of a stretch of inherited content, and whose it is. */
interface Inherited {
  readonly generation: number;
  readonly to: number;
}

/** What a fork was asked to be. */
export interface Origin {
  readonly source: string;
  readonly place: string;
  readonly subOffset: number;
}

/** What one stream is, in the words of the specification. A unit of its content is a byte, or a message of JSON. */
export interface ReferenceStream {
  /** Never the same for two streams. */
  readonly generation: number;
  readonly mode: Mode;
  readonly ttlSeconds: number | undefined;
  /** Of a fork that named no lifetime. */
  readonly inheritsTtl: boolean;
  readonly origin: Origin | undefined;
  readonly inherited: readonly Inherited[];
  readonly units: string[];
  /** Where its own appends end. */
  readonly ends: Set<number>;
  readonly producers: Map<string, Producer>;
  /** The generations of the forks that read from it. */
  readonly forks: Set<number>;
  streamSeq: string;
  closed: boolean;
  closedBy: Claim | undefined;
  deleted: boolean;
  /** The last use that may have renewed its lifetime, and the last that must have. */
  touchedAtMs: number;
  surelyTouchedAtMs: number;
}

/** The place that an offset stands for. */
export interface Place {
  readonly generation: number;
  readonly count: number;
  /** Of an offset that the client has made by adding one to the offset of this place. */
  readonly past?: true;
}

/** What is expected; `place` says what the offset must mean, `tagged` what the entity tag must stand for. */
export type Expected = Omit<Observed, "offset" | "etag"> & { readonly place?: Place; readonly tagged?: string };

/** Where a stream's own content begins. */
export function baseOf({ inherited }: ReferenceStream): number {
  return inherited.at(-1)?.to ?? 0;
}

/** The place of a position: in the incarnation of the stream that the unit before it came from. */
function placeAt(stream: ReferenceStream, count: number): Place {
  const owner = stream.inherited.find(({ to }) => count <= to);
  return { generation: owner?.generation ?? stream.generation, count };
}

export function status(stream: ReferenceStream): { readonly closed: boolean; readonly place: Place } {
  return { closed: stream.closed, place: end(stream) };
}

export function touch(stream: ReferenceStream, nowMs: number): void {
  stream.touchedAtMs = nowMs;
  stream.surelyTouchedAtMs = nowMs;
}

/**
 * A read has been refused that may have renewed the lifetime all the same: whether an offset lies inside the first append, only
 * the owner of inherited bytes and R2 can say, and they are asked after the stream.
 */
export function mayTouch(stream: ReferenceStream, nowMs: number): void {
  stream.touchedAtMs = nowMs;
}

/** Units of records: messages, or single bytes. */
export function unitsOf(mode: Mode, records: readonly string[]): string[] {
  return mode === "json" ? [...records] : records.join("").split("");
}

export function textOf(mode: Mode, units: readonly string[]): string {
  return mode === "json" ? `[${units.join(",")}]` : units.join("");
}

const ACCEPTED = new Set(["appended", "duplicate"]);

/** @param expected the place that the stream must end at, if the append asks for one. */
export function append(stream: ReferenceStream, command: Append, nowMs: number, expected: Place | undefined): Expected {
  const answer = refusal(stream, command) ?? offsetConflict(stream, command, expected) ?? accept(stream, command);
  if (!ACCEPTED.has(answer.outcome)) return answer;
  touch(stream, nowMs);
  // A close without data is answered the same way whether it is the first or a repetition.
  return command.records.length > 0 ? answer : { ...answer, outcome: "closed" };
}

/** [§5.2.1, §5.2 Error Precedence] Why an append does not go in: closed → content type → producer → Stream-Seq. */
function refusal(stream: ReferenceStream, command: Append): Expected | undefined {
  const { producer, streamSeq } = command;
  const hasData = command.records.length > 0;
  if (stream.closed) return whenClosed(stream, command, hasData);
  if (hasData && command.mode !== stream.mode) return { outcome: "content-type-mismatch" };
  if (producer !== undefined) {
    const known = stream.producers.get(producer.id);
    const next = known === undefined || producer.epoch > known.epoch ? 0 : known.seq + 1;
    if (known !== undefined && producer.epoch < known.epoch) {
      return { outcome: "producer-epoch-stale", expected: known.epoch };
    }
    if (known?.epoch === producer.epoch && producer.seq < next) {
      return { outcome: "duplicate", producer: known, ...status(stream) };
    }
    if (producer.seq !== next) {
      const isNewEpoch = known !== undefined && producer.epoch > known.epoch;
      return isNewEpoch ? { outcome: "producer-epoch-start" } : { outcome: "producer-gap", expected: next };
    }
  }
  if (streamSeq === undefined || streamSeq > stream.streamSeq) return undefined;
  return { outcome: "stream-seq-regression", place: end(stream), ...lastSeq(stream) };
}

/** The last of the checks: `-1` stands for an empty stream, everything else for one place. */
function offsetConflict(stream: ReferenceStream, command: Append, expected: Place | undefined): Expected | undefined {
  if (command.expected === undefined) return undefined;
  const tail = end(stream);
  const isMet =
    expected === undefined
      ? tail.count === 0
      : expected.count === tail.count && expected.generation === tail.generation;
  return isMet ? undefined : { outcome: "expected-offset-mismatch", place: tail };
}

function end(stream: ReferenceStream): Place {
  return placeAt(stream, stream.units.length);
}

export function lastSeq({ streamSeq }: ReferenceStream): Pick<Expected, "streamSeq"> {
  return streamSeq === "" ? {} : { streamSeq };
}

function whenClosed(stream: ReferenceStream, { producer, close }: Append, hasData: boolean): Expected {
  const { closedBy } = stream;
  const isSameClaim =
    producer !== undefined &&
    producer.id === closedBy?.id &&
    producer.epoch === closedBy.epoch &&
    producer.seq === closedBy.seq;
  if (isSameClaim) return { outcome: "duplicate", producer: stateOf(producer), ...status(stream) };
  const isCloseOnly = producer === undefined && close && !hasData;
  return isCloseOnly ? { outcome: "appended", ...status(stream) } : { outcome: "stream-closed", ...status(stream) };
}

function accept(stream: ReferenceStream, { records, close, producer, streamSeq }: Append): Expected {
  stream.units.push(...unitsOf(stream.mode, records));
  stream.ends.add(stream.units.length);
  if (streamSeq !== undefined) stream.streamSeq = streamSeq;
  if (producer !== undefined) stream.producers.set(producer.id, stateOf(producer));
  if (close) {
    stream.closed = true;
    stream.closedBy = producer;
  }
  const state = producer === undefined ? {} : { producer: stateOf(producer) };
  return { outcome: "appended", ...state, ...status(stream) };
}

function stateOf({ epoch, seq }: Claim): Producer {
  return { epoch, seq };
}
